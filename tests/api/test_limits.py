"""Limits: what is too large is refused before it costs anything, with a code."""

import pytest

from api.documents import HELD_CHARACTERS, MOST_CHARACTERS, Documents
from api.schema.root import build_schema
from tests.api.door import Api, open_api

pytestmark = pytest.mark.usefixtures("database", "redis")

SCHEMA = build_schema(introspection=True)._schema


async def code_of(api: Api, document: str, variables: dict[str, object] | None = None) -> str:
    code: str = (await api.refusal("ADMIN", document, variables))["extensions"]["code"]
    return code


async def test_sizes() -> None:
    api = await open_api()
    deep = '{ partner(code: "shop") { region ' + "{ parent " * 20 + "{ code }" + "}" * 20 + " } }"
    assert await code_of(api, deep) == "OPERATION_TOO_LARGE"
    aliases = "{ " + " ".join(f"a{number}: tiers {{ key }}" for number in range(101)) + " }"
    assert await code_of(api, aliases) == "OPERATION_TOO_LARGE"
    fields = "{ tiers { " + "key " * 1001 + "} }"
    assert await code_of(api, fields) == "OPERATION_TOO_LARGE"
    assert await code_of(api, "{ tiers { key " + "@skip(if: false) " * 5 + "} }") == "TOO_MANY_DIRECTIVES"
    listed = "{ missions(states: [" + "LIVE " * 1001 + "]) { edges { cursor } } }"
    assert await code_of(api, listed) == "LIST_TOO_LONG"
    assert await code_of(api, "{ tiers { key } }" + " " * MOST_CHARACTERS) == "DOCUMENT_TOO_LARGE"
    assert await code_of(api, "{ tiers { " + "key," * 6001 + "} }") == "SYNTAX_ERROR"


async def test_fragments_are_measured_once_and_cycles_end() -> None:
    api = await open_api()
    doubling = "{ tiers { ...F0 } } " + " ".join(
        f"fragment F{number} on Tier {{ ...F{number + 1} ...F{number + 1} }}" for number in range(40)
    )
    assert await code_of(api, doubling + " fragment F40 on Tier { key }") == "OPERATION_TOO_LARGE"
    cycle = "{ tiers { ...A } } fragment A on Tier { key ...B } fragment B on Tier { ...A }"
    assert await code_of(api, cycle) == "VALIDATION_ERROR"


async def test_fields_that_merge_are_bounded() -> None:
    api = await open_api()

    def spread(count: int) -> str:
        return " ".join(f"fragment F{number} on Query {{ tiers {{ key }} }}" for number in range(count))

    names = " ".join(f"...F{number}" for number in range(20))
    for document in (
        "{ " + 'partner(code: "a") { wallet { available } } ' * 300 + "}",
        "{ " + "tiers { key } " * 21 + "}",
        "{ " + f"tiers {{ {'key ' * 5} }} " * 5 + "}",
        "{ " + "... { tiers { key } } " * 21 + "}",
        f"{{ {names} tiers {{ key }} }} {spread(20)}",
        "{ tiers { key } } fragment Unused on Query { " + "tiers { key } " * 21 + "}",
        "{ __schema { " + "types { name } " * 21 + "} }",
    ):
        assert await code_of(api, document) == "OPERATION_TOO_LARGE", document
    fragments = f"{{ {' '.join(f'...F{number}' for number in range(51))} }} {spread(51)}"
    assert await code_of(api, fragments) == "DOCUMENT_TOO_LARGE"
    for document in ("{ " + "tiers { key } " * 20 + "}", f"{{ {names} }} {spread(20)}"):
        await api.ask("ADMIN", document)


async def test_cycles_that_double_end() -> None:
    api = await open_api()
    cycle = " ".join(f"fragment F{n} on Tier {{ ...F{(n + 1) % 40} ...F{(n + 1) % 40} }}" for n in range(40))
    assert await code_of(api, "{ tiers { key } } " + cycle) == "OPERATION_TOO_LARGE"


async def test_first_is_bounded_wherever_it_stands() -> None:
    api = await open_api()
    for given in (0, -1, 101, 2**31 - 1):
        error = await api.refusal("ADMIN", f"{{ partners(first: {given}) {{ edges {{ cursor }} }} }}")
        assert error["extensions"] == {"code": "FIRST_OUT_OF_RANGE", "field": ["partners", "first"]}
        document = "query ($n: Int) { all: partners(first: $n) { edges { cursor } } }"
        error = await api.refusal("ADMIN", document, {"n": given})
        assert error["path"] == ["all"]
    for variables in ({"n": None}, {}, {"n": 100}):
        assert "partners" in await api.ask(
            "ADMIN", "query ($n: Int) { partners(first: $n) { edges { cursor } } }", variables
        )


async def test_what_an_answer_may_hold() -> None:
    api = await open_api()
    document = """
        query ($n: Int!, $m: Int!) {
            partners(first: $n) { edges { node { ...Mine } } }
        }
        fragment Mine on Partner {
            missions(first: $m) { edges { node { objectives { current target done objective { key label } } } } }
        }
    """
    assert await code_of(api, document, {"n": 100, "m": 100}) == "OPERATION_TOO_DEAR"
    assert "partners" in await api.ask("ADMIN", document, {"n": 50, "m": 10})
    literal = document.replace("$n: Int!, $m: Int!", "$unused: Int").replace("$n", "100").replace("$m", "100")
    assert await code_of(api, literal.replace("($unused: Int)", ""), {}) == "OPERATION_TOO_DEAR"
    rows = "{ edges { node { cells } } }"
    pages = " ".join(f"p{n}: refusals(first: 100) {rows}" for n in range(11))
    assert await code_of(api, f'{{ import(id: "x") {{ {pages} }} }}', {}) == "OPERATION_TOO_DEAR"


def test_documents_are_held_within_bounds() -> None:
    documents = Documents(SCHEMA, introspection=True)
    one = documents.prepare("{ tiers { key } }")
    assert documents.prepare("{ tiers { key } }") is one
    for number in range(HELD_CHARACTERS // 20_000 + 5):
        documents.prepare(f"{{ tiers {{ a{number}: key }} }}" + " " * 20_000)
    assert documents.prepare("{ tiers { key } }") is not one
