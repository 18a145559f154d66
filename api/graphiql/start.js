// GraphiQL over Mitra's two transports: HTTP for queries and mutations, graphql-transport-ws for subscriptions.
"use strict";

const QUERY = `# Mitra. Paste a token into "Request Headers" below: \`mitra token --role ADMIN\` prints one.
# Without a token the schema can be read, and nothing else.

query Start {
  viewer {
    name
    roles
    program { key name currency timeZone }
  }
  partners(first: 3) {
    edges {
      node {
        code
        name
        wallet {
          available
          entries(first: 2) {
            edges { node { amount balanceAfter because { step detail } } }
          }
        }
        tier { tier { name } toNext next { name } }
      }
    }
  }
}
`;

const HEADERS = `{
  "Authorization": "Bearer "
}`;

// The headers of the editor, without an Authorization that holds no token yet.
function given(headers) {
  const found = { ...headers };
  for (const name of Object.keys(found)) {
    if (name.toLowerCase() === "authorization" && /^\s*(bearer)?\s*$/i.test(found[name])) {
      delete found[name];
    }
  }
  return found;
}

function isSubscription(params, documentAST) {
  const operations = (documentAST ? documentAST.definitions : []).filter(
    (one) => one.kind === "OperationDefinition",
  );
  const chosen = params.operationName
    ? operations.find((one) => one.name && one.name.value === params.operationName)
    : operations[0];
  return Boolean(chosen) && chosen.operation === "subscription";
}

async function ask(params, headers) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { accept: "application/json", "content-type": "application/json", ...headers },
    body: JSON.stringify(params),
  });
  return response.json();
}

function watch(params, headers) {
  const name = Object.keys(headers).find((one) => one.toLowerCase() === "authorization");
  return {
    subscribe(observer) {
      const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`;
      const socket = new WebSocket(address, "graphql-transport-ws");
      const say = (message) => socket.send(JSON.stringify(message));
      let ended = false;
      const hear = {
        connection_ack: () => say({ id: "1", type: "subscribe", payload: params }),
        ping: () => say({ type: "pong" }),
        next: (message) => observer.next(message.payload),
        error: (message) => {
          ended = true;
          observer.next({ errors: message.payload });
          observer.complete();
        },
        complete: () => {
          ended = true;
          observer.complete();
        },
      };
      socket.onopen = () =>
        say({ type: "connection_init", payload: name ? { authorization: headers[name] } : {} });
      socket.onmessage = (event) => {
        const message = JSON.parse(event.data);
        (hear[message.type] || (() => {}))(message);
      };
      socket.onclose = (event) => {
        if (!ended) {
          observer.error(new Error(`closed ${event.code} ${event.reason}`));
        }
      };
      return {
        unsubscribe() {
          ended = true;
          socket.close();
        },
      };
    },
  };
}

function fetcher(params, options) {
  const headers = given((options && options.headers) || {});
  return isSubscription(params, options && options.documentAST) ? watch(params, headers) : ask(params, headers);
}

ReactDOM.render(
  React.createElement(GraphiQL, {
    fetcher,
    defaultQuery: QUERY,
    headers: localStorage.getItem("graphiql:headers") || HEADERS,
    headerEditorEnabled: true,
    shouldPersistHeaders: true,
    defaultSecondaryEditorOpen: true,
  }),
  document.getElementById("graphiql"),
);
