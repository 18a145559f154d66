"""Segments: saved filters over partners, which audiences name by key.

An upsert states the whole segment. A filter that changes takes partners in and out of whatever names it: rules and
missions decide by it from the next activity, and boards follow at once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from base import outbox
from base.database import Connection
from base.errors import Invalid
from partners.attributes import check_conditions
from partners.audiences import AudienceInput, load_known, settle_audience
from partners.checks import check_code, check_count, check_name, check_unique, item_path
from partners.configuration import LockedProgram, configure, raise_config_version
from partners.inputs import PartnerKind
from partners.membership import LOCK_MOVED
from partners.rules import Segment, Segments
from partners.statements import RAISE_PARTNER_VERSIONS

MOST_SEGMENTS: Final = 500
"""Of a program: each is decided for every partner of every batch."""

SEGMENTS: Final = "SELECT key, name, filter::text FROM segment WHERE program_id = $1 ORDER BY key"
WRITE: Final = """
INSERT INTO segment AS s (program_id, key, name, filter)
SELECT $1, g.key, g.name, g.filter::jsonb
FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS g (key, name, filter, place) ORDER BY place
ON CONFLICT (program_id, key) DO UPDATE SET name = excluded.name, filter = excluded.filter
WHERE (s.name, s.filter) IS DISTINCT FROM (excluded.name, excluded.filter)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class SegmentInput:
    """A segment as it is from now on: partners that meet every condition that is set.

    `attributes`: by name, one value or a list of those that a partner may have: texts, numbers, true or false.
    """

    key: str
    name: str
    partner_kinds: Sequence[PartnerKind] = ()
    regions: Sequence[str] = ()
    tiers: Sequence[str] = ()
    partners: Sequence[str] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def audience(self) -> AudienceInput:
        """Its conditions but those on attributes."""
        return AudienceInput(self.partner_kinds, self.regions, self.tiers, self.partners)


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment as it stands; `filter` as it is stored."""

    key: str
    name: str
    filter: Mapping[str, Any]


async def load_segment_rows(connection: Connection, *, program_id: int) -> list[SegmentRow]:
    """The program's segments by key."""
    rows = await connection.fetch(SEGMENTS, program_id)
    return [SegmentRow(row["key"], row["name"], orjson.loads(row["filter"])) for row in rows]


async def load_segments(connection: Connection, *, program_id: int) -> Segments:
    """The program's segments, to decide by."""
    return compile_segments(await load_segment_rows(connection, program_id=program_id))


def compile_segments(rows: Collection[SegmentRow]) -> Segments:
    """Segments, to decide by."""
    return Segments(Segment.from_json(row.key, row.filter) for row in rows)


async def upsert_segments(
    *, program_id: int, segments: Sequence[SegmentInput], tiers: Collection[str]
) -> list[SegmentRow]:
    """Create and change segments, and answer them in the order given. `tiers` holds the keys of the program's tiers.

    DUPLICATE, TOO_MANY, INVALID_CODE, INVALID_NAME, INVALID_ATTRIBUTES, and what `settle_audience` refuses, for all of
    the input alike.
    """
    return await configure(
        program_id, lambda connection, program: _write(connection, program, segments, tiers)
    )


async def _write(
    connection: Connection, program: LockedProgram, segments: Sequence[SegmentInput], tiers: Collection[str]
) -> list[SegmentRow]:
    asked = await _check(connection, program, segments, tiers)
    stood = {row.key: row for row in await load_segment_rows(connection, program_id=program.id)}
    if len(stood.keys() | {row.key for row in asked}) > MOST_SEGMENTS:
        message = f"a program has at most {MOST_SEGMENTS} segments"
        raise Invalid(message, code="TOO_MANY", field=["segments"])
    columns = [row.key for row in asked], [row.name for row in asked], [_stored(row) for row in asked]
    if await connection.fetch(WRITE, program.id, *columns):
        await raise_config_version(connection, program.id)
    changed = [row for row in asked if row.key in stood and stood[row.key].filter != row.filter]
    if changed:
        before = [_stored(stood[row.key]) for row in changed]
        rows = await connection.fetch(LOCK_MOVED, program.id, before, [_stored(row) for row in changed])
        if moved := [row["id"] for row in rows]:
            await connection.execute(RAISE_PARTNER_VERSIONS, program.id, moved)
            await outbox.write(connection, program_id=program.id, partner_ids=moved, transaction_ids=[])
    return asked


async def _check(
    connection: Connection, program: LockedProgram, segments: Sequence[SegmentInput], tiers: Collection[str]
) -> list[SegmentRow]:
    """The segments that were meant."""
    check_count(segments, ["segments"], most=MOST_SEGMENTS)
    for index, segment in enumerate(segments):
        check_code(segment.key, item_path(["segments"], index, "key"))
        check_name(segment.name, item_path(["segments"], index, "name"))
    check_unique((segment.key for segment in segments), ["segments"], name="key")
    known = await load_known(
        connection, program_id=program.id, given=[segment.audience for segment in segments], tiers=tiers
    )
    found = []
    for index, segment in enumerate(segments):
        path = item_path(["segments"], index, "filter")
        stored: dict[str, Any] = {**settle_audience(segment.audience, known, path).to_json()}
        if attributes := check_conditions(segment.attributes, [*path, "attributes"]):
            stored["attributes"] = attributes
        found.append(SegmentRow(segment.key, segment.name, stored))
    return found


def _stored(row: SegmentRow) -> str:
    return orjson.dumps(row.filter).decode()
