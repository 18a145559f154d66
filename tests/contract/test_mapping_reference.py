"""That docs/reference/mapping.md names the keys, defaults and cleaners that there are, and mappings in docs work."""

import json
import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final

import pytest

from imports.mapping import (
    CLEANED,
    NEEDED,
    SALES_FIELDS,
    Cleaner,
    Condition,
    DateFormat,
    DocumentRules,
    FileFormat,
    PartnerRules,
    ProductRules,
    ReturnRules,
)
from imports.mapping_toml import parse_sales_mapping
from partners.inputs import PartnerKind

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "reference" / "mapping.md").read_text()
EXAMPLES: Final = sorted((ROOT / "docs" / "examples").glob("*.toml"))
TABLES: Final = {
    "file": FileFormat,
    "dates": DateFormat,
    "documents": DocumentRules,
    "returns": ReturnRules,
    "returns.when": Condition,
    "partners": PartnerRules,
    "products": ProductRules,
}


def rows(table: str) -> dict[str, list[str]]:
    """The rows of the table under a heading, by key."""
    section = re.split(rf"^#+ \[{re.escape(table)}\]$", PAGE, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", section, flags=re.MULTILINE)[0]
    cells = [
        re.split(r" ?\| ?", line.strip("|").strip(" "))
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    return {row[0].strip(" `"): [cell.strip(" `") for cell in row[1:]] for row in cells}


@pytest.mark.parametrize("table", TABLES)
def test_every_key_has_its_default(table: str) -> None:
    def shown(default: Any) -> str:
        if default is None or default is MISSING:
            return ""
        return json.dumps(list(default) if isinstance(default, tuple) else default)

    assert {key: row[0] for key, row in rows(table).items()} == {
        one.name: shown(one.default) for one in fields(TABLES[table])
    }


def test_every_column_says_whether_it_is_needed() -> None:
    told = {key: row[0] for key, row in rows("columns").items()}
    assert tuple(told) == SALES_FIELDS
    assert {key for key, needed in told.items() if needed == "yes"} == set(NEEDED)
    assert {key for key, needed in told.items() if needed == "one of them"} == {"price", "amount"}


def test_every_cleaner_and_what_it_may_clean() -> None:
    assert list(rows("clean")) == list(Cleaner)
    section = PAGE.split("These\nmay be cleaned:")[1].split(".\n")[0]
    assert tuple(re.findall(r"`(\w+)`", section)) == CLEANED


def test_every_kind_of_partner() -> None:
    assert {kind.lower() for kind in PartnerKind} <= set(re.findall(r"\w+", rows("partners")["kind"][1]))


def test_the_example_can_be_used_and_says_what_it_means() -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    mapping = parse_sales_mapping(block)
    assert set(tomllib.loads(block)) == {
        "source",
        "columns",
        "clean",
        *(table for table in TABLES if "." not in table),
    }
    assert mapping.file.decimal == ","
    assert mapping.returns == ReturnRules(
        when=Condition(column="Belegart", equals=("Gutschrift", "Storno")), sale="Ursprungsbeleg"
    )
    assert mapping.products.no_products[-1] == "GEB-*"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_can_be_used(path: Path) -> None:
    assert parse_sales_mapping(path.read_text()).source
