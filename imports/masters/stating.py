"""Partners and products out of a chunk of rows: stated anew, in the caller's transaction, under the program's lock.

All of a chunk is decided before anything is written. Where something is wrong the rows that are to blame are named, and
nothing has been written: the chunk is decided again without them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from base.database import Connection
from base.errors import Invalid
from imports.mapping import Unknown
from imports.masters.mapping import MasterMapping
from imports.masters.merging import fault_of, merge_partner, merge_product
from imports.masters.reading import MasterReader, MasterRow
from imports.rows import Refused
from imports.sales_rows import Fault
from partners.configuration import LockedProgram
from partners.inputs import PartnerInput, RegionInput, check_regions
from partners.service import write_partners, write_products, write_regions
from partners.standing import load_known_regions, load_partner_inputs, load_product_inputs

WAITING: str = "UNKNOWN_PARTNER"
"""Why a partner is refused whose parent is not there: it may stand further down."""


@dataclass(slots=True)
class Stated:
    """What became of rows. Where there are `faults` nothing was written; those that wait for a parent are no fault."""

    faults: list[Refused] = field(default_factory=list)
    changed: list[MasterRow] = field(default_factory=list)
    unchanged: list[MasterRow] = field(default_factory=list)
    waiting: list[Refused] = field(default_factory=list)


class State(Protocol):
    """States rows of different codes."""

    async def __call__(
        self, connection: Connection, program: LockedProgram, rows: Mapping[str, MasterRow], *, now: datetime
    ) -> Stated: ...


class StateProducts:
    """`State` for products."""

    def __init__(self, reader: MasterReader) -> None:
        self._reader = reader

    async def __call__(
        self, connection: Connection, program: LockedProgram, rows: Mapping[str, MasterRow], *, now: datetime
    ) -> Stated:
        stored = await load_product_inputs(connection, program_id=program.id, skus=list(rows))
        stated = Stated()
        changed = []
        for sku, row in rows.items():
            try:
                merged = merge_product(row, stored.get(sku))
            except Fault as fault:
                stated.faults.append(self._reader.refuse(row, fault))
                continue
            if merged == stored.get(sku):
                stated.unchanged.append(row)
            else:
                stated.changed.append(row)
                changed.append(merged)
        if changed and not stated.faults:
            try:
                await write_products(connection, program, changed)
            except Invalid as error:
                stated.faults.append(_blame(self._reader, stated.changed, error))
        return stated


class StatePartners:
    """`State` for partners. Those whose parent is not there, and those that lie under them, wait."""

    def __init__(self, reader: MasterReader, mapping: MasterMapping) -> None:
        self._reader = reader
        self._mapping = mapping

    async def __call__(
        self, connection: Connection, program: LockedProgram, rows: Mapping[str, MasterRow], *, now: datetime
    ) -> Stated:
        stored = await load_partner_inputs(connection, program_id=program.id, codes=list(rows))
        stated = Stated()
        merged = {}
        for code, row in rows.items():
            try:
                merged[code] = merge_partner(row, stored.get(code), self._mapping)
            except Fault as fault:
                stated.faults.append(self._reader.refuse(row, fault))
        stated.faults += await self._without_region(connection, program, rows, merged)
        if stated.faults:
            return stated
        waiting = find_waiting(merged, await self._standing(connection, program, merged.values(), stored))
        changed = []
        for code, row in rows.items():
            if code in waiting:
                missing = Fault(f"there is no partner {merged[code].parent!r}", code=WAITING, field="parent")
                stated.waiting.append(self._reader.refuse(row, missing))
            elif merged[code] == stored.get(code):
                stated.unchanged.append(row)
            else:
                stated.changed.append(row)
                changed.append(merged[code])
        if changed:
            stated.faults += await self._write(connection, program, stated.changed, changed, now=now)
        return stated

    async def _without_region(
        self,
        connection: Connection,
        program: LockedProgram,
        rows: Mapping[str, MasterRow],
        partners: Mapping[str, PartnerInput],
    ) -> list[Refused]:
        """The rows whose region neither exists nor can be created."""
        named = sorted({one.region for one in partners.values()})
        known = await load_known_regions(connection, program_id=program.id, codes=named)
        faults = {region: self._region_fault(region) for region in named if region not in known}
        return [
            self._reader.refuse(rows[code], fault)
            for code, one in partners.items()
            if (fault := faults.get(one.region)) is not None
        ]

    def _region_fault(self, region: str) -> Fault | None:
        """Why a region that does not exist is not created."""
        if self._mapping.unknown_regions is Unknown.REFUSE:
            return Fault(f"there is no region {region!r}", code="UNKNOWN_REGION", field="region")
        try:
            check_regions([RegionInput(region, region)])
        except Invalid as error:
            return Fault(error.message, code=error.code, field="region")
        return None

    async def _standing(
        self,
        connection: Connection,
        program: LockedProgram,
        partners: Iterable[PartnerInput],
        stored: Mapping[str, PartnerInput],
    ) -> set[str]:
        """Which of these partners and their parents exist."""
        parents = {one.parent for one in partners if one.parent is not None} - stored.keys()
        others = await load_partner_inputs(connection, program_id=program.id, codes=sorted(parents))
        return {*stored, *others}

    async def _write(
        self,
        connection: Connection,
        program: LockedProgram,
        rows: Sequence[MasterRow],
        partners: Sequence[PartnerInput],
        *,
        now: datetime,
    ) -> list[Refused]:
        """Write partners, and the regions that are to be created for them; or answer who is to blame."""
        try:
            async with connection.transaction():  # no region is created for a partner that is refused
                if self._mapping.unknown_regions is Unknown.CREATE:
                    regions = [
                        RegionInput(code, code) for code in dict.fromkeys(one.region for one in partners)
                    ]
                    await write_regions(connection, program, regions, only_new=True)
                await write_partners(connection, program, partners, now=now)
        except Invalid as error:
            return [_blame(self._reader, rows, error)]
        return []


def _blame(reader: MasterReader, rows: Sequence[MasterRow], error: Invalid) -> Refused:
    """The row that a service names by its place in the input."""
    return reader.refuse(rows[int(error.field[1])], fault_of(error))


def find_waiting(partners: Mapping[str, PartnerInput], standing: set[str]) -> set[str]:
    """Which of these partners lead to a parent that neither stands nor is among them. Linear.

    One whose parents lead in a circle does not wait: it is the service that says so.
    """
    waits: dict[str, bool] = {}
    for start in partners:
        path: list[str] = []
        code: str | None = start
        while code is not None and code in partners and code not in waits:
            waits[code] = False
            path.append(code)
            parent = partners[code].parent
            if parent is not None and parent in standing:
                break
            code = parent
        else:
            if code is not None and (code not in partners or waits[code]):
                waits.update(dict.fromkeys(path, True))
    return {code for code, is_waiting in waits.items() if is_waiting}
