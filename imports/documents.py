"""Rows into documents: which rows of a batch are new, and which of them make one activity. Pure.

A document's rows of one kind, partner and currency make one activity under the document's own number, as far as they
stand in one batch; what comes apart from them, or is too much for one, is a further activity `<document>/<first line>`.
So is what was refused once and is imported alone. Where an activity of that name stands already, a number is put
behind it.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, count
from typing import Final, TypeAlias

from activity.rules import MAX_LINES, RETURN, SALE, ActivityInput, LineInput
from imports.rows import Refused, SalesRow

Row: TypeAlias = SalesRow | Refused
Opened: TypeAlias = tuple[str, bool, str, str | None]
Faults: TypeAlias = Mapping[int, Refused]
"""Rows that were found to be wrong, by line."""

SUFFIX: Final = "/"
"""What stands between a document and the line from which a further activity of it begins."""
NAME_WITHIN: Final = "(where its numbers start again, name what they are unique within: [documents] within)"


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier rows made activities: by document and digest, the import that brought them; and by document, the
    imports that brought any row of it."""

    rows: Mapping[tuple[str, bytes], int] = field(default_factory=dict)
    imports: Mapping[str, Set[int]] = field(default_factory=dict)
    further: Set[str] = frozenset()
    """Those of the documents' own numbers that a further activity of another document has for its name."""
    refused: Mapping[tuple[str, bytes], Set[int]] = field(default_factory=dict)
    """By document and digest, the imports that refused a row."""

    def of(self, document: str) -> Set[int]:
        """The imports that brought rows of this document."""
        return self.imports.get(document, frozenset())

    def is_new_to(self, row: SalesRow, import_id: int) -> bool:
        """Whether the document was recorded by another import that never saw this row."""
        others = self.of(row.document) - {import_id}
        return not others <= self.refused.get((row.document, row.digest), frozenset())


def opened_by(row: SalesRow) -> Opened:
    """What the rows of one activity have in common."""
    return row.document, row.is_return, row.partner, row.currency


@dataclass(slots=True)
class Sorted:
    """What the rows of a batch are, before anything of it is recorded."""

    fresh: list[SalesRow] = field(default_factory=list)
    duplicates: int = 0
    duplicates_in: int = 0
    """Of the duplicates, those of a row of the same file."""
    refused: list[Refused] = field(default_factory=list)


def sort_rows(
    rows: Iterable[Row], *, known: Known, faults: Faults, import_id: int, is_further: bool
) -> Sorted:
    """Tell new rows from those that were recorded before, and from those that are refused.

    A document that another import brought is closed: other rows of it are a correction, or a second export of it that
    is written differently, and would count twice. A row that each import which brought it has refused is none of these,
    and is judged anew; where its mended row was taken meanwhile, that import had not this one. `is_further` says that
    these rows were refused before and stand for themselves.
    """
    found = Sorted()
    seen: set[tuple[str, bytes]] = set()
    for row in rows:
        if isinstance(row, Refused):
            found.refused.append(row)
            continue
        key = (row.document, row.digest)
        brought_by = known.rows.get(key)
        if key in seen or brought_by == import_id:
            found.duplicates += 1
            found.duplicates_in += 1
        elif brought_by is not None:
            found.duplicates += 1
        elif row.raw.line in faults:
            found.refused.append(faults[row.raw.line])
        elif not is_further and known.is_new_to(row, import_id):
            message = f"{row.document} was imported before, with other rows {NAME_WITHIN}"
            found.refused.append(Refused(row.raw, "DOCUMENT_RECORDED", message))
        else:
            seen.add(key)
            found.fresh.append(row)
    return found


@dataclass(slots=True)
class Draft:
    """An activity in the making: its rows, its lines, and the row that each line is of."""

    external_id: str
    first: SalesRow
    rows: list[SalesRow] = field(default_factory=list)
    lines: list[LineInput] = field(default_factory=list)
    row_of: list[SalesRow] = field(default_factory=list)

    @property
    def is_further(self) -> bool:
        """Whether it stands under another name than its document."""
        return self.external_id != self.first.document

    @property
    def occurred_at(self) -> datetime:
        """When the first row says that it happened."""
        return self.first.occurred_at

    def add(self, row: SalesRow, lines: Sequence[LineInput]) -> None:
        """Take in a row, as these lines."""
        self.rows.append(row)
        self.lines += lines
        self.row_of += [row] * len(lines)

    def has_room(self, lines: int) -> bool:
        """Whether so many lines more are not too many for one activity."""
        return len(self.lines) + lines <= MAX_LINES

    def finished(self, source: str) -> ActivityInput:
        """The activity."""
        return ActivityInput(
            source=source,
            external_id=self.external_id,
            kind=RETURN if self.first.is_return else SALE,
            partner=self.first.partner,
            occurred_at=self.occurred_at,
            lines=self.lines,
            currency=self.first.currency,
        )


class Drafting:
    """Puts the new rows of a batch together, in the order of the file."""

    def __init__(self, *, known: Known, is_further: bool, taken: Set[str] = frozenset()) -> None:
        self._known = known
        self._is_further = is_further
        self._open: dict[Opened, Draft] = {}
        self._named = set(taken)
        self.drafts: Final[list[Draft]] = []

    def place(self, row: SalesRow, lines: int = 1) -> Draft:
        """The activity that a row of so many lines belongs into; a new one where none is open, or none has room."""
        found = self._open.get(opened_by(row))
        if found is None or not found.has_room(lines):
            found = self._open[opened_by(row)] = Draft(self._name(row), row)
            self.drafts.append(found)
        return found

    def _name(self, row: SalesRow) -> str:
        """The document's own, where this is its first activity and nothing else is called so."""
        known, document = self._known, row.document
        is_further = self._is_further or bool(known.of(document)) or document in known.further
        further = f"{document}{SUFFIX}{row.raw.first_line}"
        more = (f"{further}.{n}" for n in count(2))
        names = chain([] if is_further else [document], [further], more)
        name = next(name for name in names if name not in self._named)
        self._named.add(name)
        return name
