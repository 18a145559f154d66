"""Loaders: what fields ask for one partner at a time is read for all partners of an answer in one statement.

One loader per noun; each lives as long as one operation.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from strawberry.dataloader import DataLoader

from base.database import reading
from game.badges.queries import AwardRow, load_awards
from game.facts import Fact, load_transaction_facts
from game.missions.queries import MissionRow, Progress, load_progress
from game.missions.states import MissionState, state_of
from leaderboards.queries import BoardView, list_leaderboards
from loyalty.earning.queries import load_budgets
from loyalty.ledger.hold_queries import Hold, list_holds_of_wallets
from loyalty.ledger.queries import (
    EntryRow,
    ExpiringRow,
    WalletRow,
    list_entries,
    load_entries,
    load_expiring,
    load_wallets,
)
from loyalty.tiers.changes import ChangeRow, list_changes
from loyalty.tiers.periods import Calendar
from loyalty.tiers.standing_queries import StandingRow, load_standings
from partners.listing import PartnerRow, find_partners
from push.queries import InboxMessage, load_inboxes

if TYPE_CHECKING:
    from api.context import Context

Row = TypeVar("Row")

WalletKey: TypeAlias = tuple[int, str]
"""(partner id, unit)."""

ExpiringKey: TypeAlias = tuple[int, str, int]
"""(partner id, unit, within how many days)."""

EntriesKey: TypeAlias = tuple[int, str, int | None, int]
"""(partner id, unit, below which version or hold, how many)."""

InboxKey: TypeAlias = tuple[int, int | None, int]
"""(partner id, below which message, how many)."""

StandingKey: TypeAlias = tuple[int, Calendar]
"""(partner id, its calendar)."""

HistoryKey: TypeAlias = tuple[int, int | None, int]
"""(partner id, before which change, how many)."""

ProgressKey: TypeAlias = tuple[int, frozenset[MissionState]]
"""(partner id, of missions in which states)."""


class Loaders:
    """The loaders of one operation."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._boards: asyncio.Task[dict[str, BoardView]] | None = None

    async def boards(self) -> dict[str, BoardView]:
        """The program's leaderboards with their present seasons, by key."""
        if self._boards is None:
            self._boards = asyncio.ensure_future(self._load_boards())
        return await self._boards

    async def _load_boards(self) -> dict[str, BoardView]:
        async with reading() as connection:
            found = await list_leaderboards(connection, program_id=self._context.program_id)
        return {view.board.key: view for view in found}

    @cached_property
    def partners(self) -> DataLoader[str, PartnerRow | None]:
        """Partners that the caller may see, by code."""

        async def load(codes: list[str]) -> Sequence[PartnerRow | None]:
            async with reading() as connection:
                found = await find_partners(connection, scope=self._context.scope, codes=codes)
            return [found.get(code) for code in codes]

        return DataLoader(load)

    @cached_property
    def wallets(self) -> DataLoader[WalletKey, WalletRow]:
        """Wallets."""

        async def load(keys: list[WalletKey]) -> Sequence[WalletRow]:
            async with reading() as connection:
                found = await load_wallets(connection, program_id=self._context.program_id, keys=keys)
            return [found[key] for key in keys]

        return DataLoader(load)

    @cached_property
    def expiring(self) -> DataLoader[ExpiringKey, list[ExpiringRow]]:
        """What of wallets expires soon."""

        async def load(keys: list[ExpiringKey]) -> Sequence[list[ExpiringRow]]:
            now = self._context.now()
            untils = [(id_, unit, now + timedelta(days=days)) for id_, unit, days in keys]
            async with reading() as connection:
                found = await load_expiring(
                    connection, program_id=self._context.program_id, keys=untils, now=now
                )
            return [found[key] for key in untils]

        return DataLoader(load)

    @cached_property
    def entries(self) -> DataLoader[EntriesKey, list[EntryRow]]:
        """Pages of wallets' entries."""

        return _pages(partial(list_entries, program_id=self._context.program_id))

    @cached_property
    def holds(self) -> DataLoader[EntriesKey, list[Hold]]:
        """Pages of wallets' holds."""

        return _pages(partial(list_holds_of_wallets, program_id=self._context.program_id))

    @cached_property
    def posted(self) -> DataLoader[int, list[EntryRow]]:
        """What transactions posted to wallets."""

        async def load(ids: list[int]) -> Sequence[list[EntryRow]]:
            async with reading() as connection:
                found = await load_entries(
                    connection, program_id=self._context.program_id, transaction_ids=ids
                )
            return [found[id_] for id_ in ids]

        return DataLoader(load)

    @cached_property
    def facts(self) -> DataLoader[int, list[Fact]]:
        """The facts of transactions."""

        async def load(ids: list[int]) -> Sequence[list[Fact]]:
            async with reading() as connection:
                found = await load_transaction_facts(
                    connection, program_id=self._context.program_id, transaction_ids=ids
                )
            return [found[id_] for id_ in ids]

        return DataLoader(load)

    @cached_property
    def standings(self) -> DataLoader[StandingKey, StandingRow]:
        """Where partners stand on the ladder. Only for a program that has one."""
        ladder = self._context.catalog.ladder
        assert ladder is not None

        async def load(keys: list[StandingKey]) -> Sequence[StandingRow]:
            async with reading() as connection:
                found = await load_standings(
                    connection,
                    program_id=self._context.program_id,
                    ladder=ladder.rules,
                    calendars=dict(keys),
                    now=self._context.now(),
                )
            return [found[id_] for id_, _ in keys]

        return DataLoader(load)

    @cached_property
    def tier_changes(self) -> DataLoader[HistoryKey, list[ChangeRow]]:
        """Pages of tiers' histories."""

        return _pages(partial(list_changes, program_id=self._context.program_id))

    @cached_property
    def progress(self) -> DataLoader[ProgressKey, Progress]:
        """How far partners are in the missions of some states."""

        async def load(keys: list[ProgressKey]) -> Sequence[Progress]:
            asked: dict[frozenset[MissionState], list[int]] = defaultdict(list)
            for id_, states in keys:
                asked[states].append(id_)
            found: dict[ProgressKey, Progress] = {}
            async with reading() as connection:
                for states, ids in asked.items():
                    loaded = await load_progress(
                        connection,
                        program_id=self._context.program_id,
                        missions=self._missions(states),
                        partner_ids=ids,
                    )
                    found |= {(id_, states): progress for id_, progress in loaded.items()}
            return [found[key] for key in keys]

        return DataLoader(load)

    @cached_property
    def awards(self) -> DataLoader[int, list[AwardRow]]:
        """The badges that partners were awarded."""

        async def load(ids: list[int]) -> Sequence[list[AwardRow]]:
            async with reading() as connection:
                found = await load_awards(connection, program_id=self._context.program_id, partner_ids=ids)
            return [found[id_] for id_ in ids]

        return DataLoader(load)

    @cached_property
    def inboxes(self) -> DataLoader[InboxKey, list[InboxMessage]]:
        """Pages of partners' messages."""

        return _pages(partial(load_inboxes, program_id=self._context.program_id))

    @cached_property
    def rule_budgets(self) -> DataLoader[int, int]:
        """What earning rules have given of their budgets, by the id of their first version."""

        async def load(roots: list[int]) -> Sequence[int]:
            async with reading() as connection:
                found = await load_budgets(connection, program_id=self._context.program_id, roots=roots)
            return [found.get(root, 0) for root in roots]

        return DataLoader(load)

    def _missions(self, states: frozenset[MissionState]) -> list[MissionRow]:
        now = self._context.now()
        return [row for row in self._context.catalog.missions.values() if state_of(row, now) in states]


def _pages(read: Callable[..., Awaitable[Sequence[list[Row]]]]) -> DataLoader[Any, list[Row]]:
    """A loader of pages, whose keys end with how many rows they have: one statement for each size."""

    async def load(keys: list[tuple[Any, ...]]) -> Sequence[list[Row]]:
        found: dict[tuple[Any, ...], list[Row]] = {}
        async with reading() as connection:
            for limit in {key[-1] for key in keys}:
                alike = [key for key in keys if key[-1] == limit]
                pages = await read(connection, pages=[key[:-1] for key in alike], limit=limit)
                found |= zip(alike, pages, strict=True)
        return [found[key] for key in keys]

    return DataLoader(load)
