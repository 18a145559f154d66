"""That README and docs/ name only what there is: commands, tasks, settings, files, error codes, GraphQL, roles."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from graphql import build_schema, parse, validate
from typer.main import get_command

from api.access import ACCESS
from api.roles import Role
from ops.cli import build_app

ROOT: Final = Path(__file__).parents[2]
REFERENCE: Final = ROOT / "docs" / "reference"
PAGES: Final = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
ROOMS: Final = (
    "activity", "partners", "metrics", "loyalty", "game", "leaderboards", "push", "imports", "api", "base",
)  # fmt: skip
FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEREDOC: Final = re.compile(r"<<'?EOF'?\n(.*?)^EOF$", re.MULTILINE | re.DOTALL)
NO_CODES: Final = {
    "RETURN", "MITRA_MAX_BODY_BYTES", "MITRA_MAX_IMPORT_BYTES", "MITRA_MAX_REFUSED_ROWS", "MITRA_MAX_UNPACKED_BYTES",
}  # fmt: skip
"""What the page of error codes names beside them."""
SHELL: Final = ("sh", "bash")
CODE: Final = re.compile(r"[A-Z]{3,}(?:_[A-Z]+)*|NO(?:_[A-Z]+)+")
EVERYWHERE: Final = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def fenced(page: Path, *languages: str) -> list[str]:
    """The blocks of code in one of these languages."""
    return [body for language, body in FENCE.findall(page.read_text()) if language in languages]


def spans(page: Path) -> list[str]:
    """Code within sentences."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", page.read_text()))


def shell_lines(page: Path) -> Iterator[str]:
    """Whatever a reader may paste into a shell, without what a document or comment holds."""
    for block in fenced(page, *SHELL):
        code = HEREDOC.sub("", block).replace("\\\n", " ")
        yield from (line.split("#")[0] for line in code.splitlines())
    yield from spans(page)


# ------------------------------------------------------------------------------------------------ commands and tasks


def commands() -> dict[str, Any]:
    """Every command by the words that call it."""

    def walk(command: Any, words: list[str]) -> Iterator[tuple[str, Any]]:
        parts = getattr(command, "commands", None)
        if parts is None:
            yield " ".join(words), command
        else:
            for name, part in parts.items():
                yield from walk(part, [*words, name])

    return dict(walk(get_command(build_app()), []))


def options(command: Any) -> dict[str, Any]:
    """The options of a command that its help shows, by their long names."""
    return {
        part.opts[0]: part
        for part in command.params
        if part.param_type_name == "option" and not part.hidden and part.opts[0] != "--help"
    }


@EVERYWHERE
def test_commands_and_their_options_exist(page: Path) -> None:
    known = commands()
    for line in shell_lines(page):
        for call in re.findall(r"(?:^|[\s/(&])mitra ([a-z-][^|&>;)`]*)", line):
            words = call.split()
            name = next((name for name in known if words[: len(name.split())] == name.split()), None)
            if name is None:
                assert words[0] in {one.split()[0] for one in known} | {"--help"}, line
                continue
            named = {option for option in re.findall(r"(--[a-z-]+)", call) if option != "--help"}
            assert named <= set(options(known[name])), line


@EVERYWHERE
def test_tasks_exist(page: Path) -> None:
    tasks = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {task for line in shell_lines(page) for task in re.findall(r"(?:^|\s)make ([a-z-]+)", line)}
    assert named <= tasks


@EVERYWHERE
def test_settings_exist(page: Path) -> None:
    known = set(re.findall(r"^\| `(MITRA_\w+)`", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert set(re.findall(r"MITRA_\w+", page.read_text())) <= known


def test_the_reference_has_every_command_with_its_options() -> None:
    text = (REFERENCE / "commands.md").read_text()
    sections = dict(re.findall(r"^## mitra ([^\n]+)\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL))
    known = commands()
    assert set(sections) == set(known)
    for name, command in known.items():
        rows = {
            row[0]: row[1]
            for row in re.findall(r"^\| `(--[a-z-]+)`.*? \| (.*) \|$", sections[name], re.MULTILINE)
        }
        assert set(rows) == set(options(command)), name
        for option, part in options(command).items():
            assert rows[option].startswith(part.help.rstrip(".")), (name, option)


def test_the_reference_has_every_task() -> None:
    tasks = re.findall(r"^([a-z-]+):.*?## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    told = re.findall(
        r"^\| `make ([a-z-]+)` \| (.*) \|$", (REFERENCE / "commands.md").read_text(), re.MULTILINE
    )
    assert told == tasks


# --------------------------------------------------------------------------------------------------------------- links


def anchors(page: Path) -> set[str]:
    """What the headings of a page are reached by."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EVERYWHERE
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text())):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


# --------------------------------------------------------------------------------------------------------- error codes


def texts(node: ast.AST) -> Iterator[str]:
    """Every text that stands somewhere in a piece of code."""
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def codes_of(tree: ast.AST) -> Iterator[str]:
    """The codes that a module refuses with, however it writes them."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("Refusal" | "refusal" | "Unauthenticated"), args=[first, *_]):
                yield from texts(first)
            case ast.Call(func=ast.Name("problem" | "Refused"), args=[_, second, *_]):
                yield from texts(second)
            case ast.Call(func=ast.Name("unknown"), args=[first, *_]):
                yield from (f"UNKNOWN_{noun.upper()}" for noun in texts(first))
            case ast.keyword("noun", value):
                yield from (f"UNKNOWN_{noun.upper()}" for noun in texts(value))
            case ast.keyword("code", value) | ast.Assign([ast.Name("code")], value):
                yield from texts(value)
            case ast.Dict(keys=[ast.Constant("code"), *_], values=[value, *_]):
                yield from texts(value)
            case ast.Call(func=ast.Attribute(attr="setdefault"), args=[ast.Constant("code"), default]):
                yield from texts(default)
            case ast.AnnAssign(ast.Name("CODES")):
                yield from texts(node)
            case _:
                pass


def refusals() -> set[str]:
    """Every code that a caller can get: those of the channels' set-up and the base of all errors are not among them."""
    found: set[str] = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if "channels" not in path.parts:
                found.update(code for code in codes_of(ast.parse(path.read_text())) if CODE.fullmatch(code))
    return found - {"ERROR", "INVALID"}


def test_the_reference_has_every_code_and_no_other() -> None:
    told = {
        code for span in spans(REFERENCE / "errors.md") for code in CODE.findall(span) if CODE.fullmatch(span)
    }
    assert refusals() - told == set(), "missing in docs/reference/errors.md"
    assert told - refusals() - NO_CODES == set(), "not in the code"


# ------------------------------------------------------------------------------------------------------- GraphQL, roles


@EVERYWHERE
def test_graphql_fits_the_schema(page: Path) -> None:
    schema = build_schema((ROOT / "api" / "schema" / "schema.graphql").read_text())
    pasted = [document for block in fenced(page, *SHELL) for document in HEREDOC.findall(block)]
    for document in [*fenced(page, "graphql"), *pasted]:
        assert validate(schema, parse(document)) == [], document


@EVERYWHERE
def test_json_is_json(page: Path) -> None:
    for block in fenced(page, "json"):
        json.loads(block)


def test_the_reference_tells_who_may_what() -> None:
    text = (REFERENCE / "roles.md").read_text()
    for root in ("Query", "Mutation", "Subscription"):
        head, rows = re.search(
            rf"^\| {root.lower()} \|(.*)\|\n\|[-:| ]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE
        ).groups()  # type: ignore[union-attr]
        roles = [Role(name.strip()) for name in head.split("|")]
        assert set(roles) == set(Role)
        told = {}
        for row in rows.splitlines():
            name, *marks = (cell.strip() for cell in row.strip("|").split("|"))
            told[name.strip("`")] = {role for role, mark in zip(roles, marks, strict=True) if mark}
        assert told == ACCESS[root]
