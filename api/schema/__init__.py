"""The GraphQL schema: one file per noun, and the committed `schema.graphql`."""
