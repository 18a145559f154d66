"""One partner in the terminal: balance, tier, missions, badges, and the last entries with their reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from api.catalog import Catalog, load_catalog
from base.database import reading
from base.errors import NotFound
from game.badges.queries import AwardRow, load_awards
from game.missions.queries import MissionRow, Progress, load_progress
from game.missions.states import MissionState, state_of
from loyalty.ledger.books import POINT
from loyalty.ledger.queries import EntryRow, WalletRow, list_entries, load_wallets
from loyalty.tiers.periods import Calendar
from loyalty.tiers.standing_queries import StandingRow, load_standings
from loyalty.words import Reader, choose_language, explain
from partners.listing import PartnerRow, Scope, find_partners
from partners.queries import ProgramRow
from partners.rules import PartnerView

BAR_WIDTH: Final = 16
ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Card:
    """What is shown of a partner."""

    catalog: Catalog
    partner: PartnerRow
    wallet: WalletRow
    standing: StandingRow | None
    progress: Progress
    awards: Sequence[AwardRow]
    entries: Sequence[EntryRow]


async def load_card(program: ProgramRow, code: str, *, entries: int, now: datetime) -> Card:
    """Read all that is shown. `NotFound`."""
    async with reading() as connection:
        catalog = await load_catalog(connection, program.id)
        found = await find_partners(connection, scope=Scope(program.id), codes=[code])
        if code not in found:
            raise NotFound(f"the program {program.key} has no partner {code}", field=["code"])
        partner = found[code]
        standing = None
        if catalog.ladder is not None:
            standings = await load_standings(
                connection,
                program_id=program.id,
                ladder=catalog.ladder.rules,
                calendars={partner.id: Calendar.of(partner.time_zone, partner.created_at, partner.joined_on)},
                now=now,
            )
            standing = standings[partner.id]
        missions = list(catalog.missions.values())
        wallets = await load_wallets(connection, program_id=program.id, keys=[(partner.id, POINT)])
        progress = await load_progress(
            connection, program_id=program.id, missions=missions, partner_ids=[partner.id]
        )
        awards = await load_awards(connection, program_id=program.id, partner_ids=[partner.id])
        pages = await list_entries(
            connection, program_id=program.id, pages=[(partner.id, POINT, None)], limit=entries
        )
    return Card(
        catalog=catalog,
        partner=partner,
        wallet=wallets[partner.id, POINT],
        standing=standing,
        progress=progress[partner.id],
        awards=awards[partner.id],
        entries=pages[0],
    )


def draw_card(card: Card, *, now: datetime) -> RenderableType:
    """The card, readable at 80 columns. Times are those of the partner's zone."""
    partner, region = card.partner, card.catalog.regions[card.partner.region_id]
    place = Text(f"{partner.kind.capitalize()} · {region.name} · {partner.status.lower()}", style="dim")
    parts: list[RenderableType] = [place, _draw_balance(card)]
    if card.standing is not None:
        parts.append(_draw_tier(card, card.standing))
    head = Panel(
        Group(*parts),
        title=Text.assemble((partner.name, "bold"), f" · {partner.code}"),
        title_align="left",
        expand=False,
    )
    sections = [head, _draw_missions(card, now), _draw_badges(card), _draw_entries(card)]
    return Group(*(section for section in sections if section is not None))


def _local(card: Card, instant: datetime) -> datetime:
    """As the partner's own clocks show it."""
    return instant.astimezone(ZoneInfo(card.partner.time_zone))


def _draw_balance(card: Card) -> Text:
    wallet = card.wallet
    text = Text.assemble((f"{wallet.available:,}", "bold green"), " points")
    for amount, word in ((wallet.pending, "pending"), (wallet.held, "held")):
        if amount:
            text.append(f", {amount:,} {word}")
    if wallet.debt:
        text.append(f", {wallet.debt:,} owed", style="red")
    return text


def _draw_tier(card: Card, standing: StandingRow) -> Table:
    ladder = card.catalog.ladder
    assert ladder is not None
    tier = ladder.tiers[min(standing.level, len(ladder.tiers) - 1)]
    above = ladder.tiers[standing.level + 1] if standing.level + 1 < len(ladder.tiers) else None
    since = f" since {_local(card, standing.since):%Y-%m-%d}" if standing.since else ""
    metric = card.catalog.metrics[ladder.metric_id].name.lower()
    row = Table.grid(padding=(0, 2))
    if above is None:
        row.add_row(
            Text.assemble((tier.name, "bold"), since), f"the highest; {_number(standing.qualifying)} {metric}"
        )
    else:
        missing = max(ZERO, above.threshold - standing.qualifying)
        row.add_row(
            Text.assemble((tier.name, "bold"), since),
            _bar(standing.qualifying, above.threshold),
            f"{_number(missing)} {metric} to {above.name}",
        )
    return row


def _draw_missions(card: Card, now: datetime) -> Table | None:
    rows = [
        (mission, completed, state)
        for mission in card.catalog.newest_missions
        if (completed := _completed(card, mission)) is not None
        or (state_of(mission, now) is not MissionState.DRAFT and mission.audience.admits(_view(card)))
        for state in [state_of(mission, now)]
    ]
    if not rows:
        return None
    table = Table(title="Missions", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("mission")
    table.add_column("objective")
    table.add_column("", width=BAR_WIDTH)
    table.add_column("so far", justify="right")
    for mission, completed, state in rows:
        title = Text(mission.title, style="bold" if state is MissionState.LIVE else "")
        title.append(f"\n{_told(card, mission, completed, state)}", style="green" if completed else "dim")
        for place, objective in enumerate(mission.objectives):
            current = card.progress.meters.get(objective.series_id, ZERO)
            table.add_row(
                title if place == 0 else "",
                objective.label,
                _bar(current, objective.target),
                f"{_number(current)} / {_number(objective.target)}",
            )
    return table


def _completed(card: Card, mission: MissionRow) -> datetime | None:
    completion = card.progress.completions.get(mission.id)
    return None if completion is None or completion.revoked_at is not None else completion.completed_at


def _told(card: Card, mission: MissionRow, completed: datetime | None, state: MissionState) -> str:
    if completed is not None:
        return f"completed {_local(card, completed):%Y-%m-%d}"
    if state is MissionState.SCHEDULED:
        return f"from {_local(card, mission.starts_at):%Y-%m-%d}"
    if state is MissionState.LIVE and mission.ends_at is not None:
        return f"until {_local(card, mission.ends_at):%Y-%m-%d}"
    return state.value.lower()


def _view(card: Card) -> PartnerView:
    partner, catalog = card.partner, card.catalog
    tier = None
    if catalog.ladder is not None and card.standing is not None:
        tier = catalog.ladder.tiers[min(card.standing.level, len(catalog.ladder.tiers) - 1)].key
    return catalog.view_of(partner, tier=tier)


def _draw_badges(card: Card) -> Text | None:
    levels: dict[int, int] = {}
    for award in card.awards:
        if award.revoked_at is None:
            levels[award.badge_id] = max(award.level, levels.get(award.badge_id, 0))
    if not levels:
        return None
    told = []
    for badge_id, level in levels.items():
        badge = card.catalog.badges[badge_id]
        told.append(badge.name if len(badge.levels) == 1 else f"{badge.name} {level}/{len(badge.levels)}")
    return Text.assemble(("Badges  ", "italic"), " · ".join(sorted(told)), "\n")


def _draw_entries(card: Card) -> Table | None:
    if not card.entries:
        return None
    reader = Reader(choose_language(card.partner.locale), card.catalog.names, card.catalog.units)
    title = f"Last entries, in {card.partner.time_zone}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("booked", no_wrap=True)
    table.add_column("points", justify="right")
    table.add_column("balance", justify="right")
    table.add_column("because", ratio=1)
    for entry in card.entries:
        reasons = Text("\n").join(Text(reason.detail) for reason in explain(entry.because, reader))
        style = "green" if entry.amount > 0 else "red"
        table.add_row(
            f"{_local(card, entry.posted_at):%Y-%m-%d %H:%M}",
            Text(f"{entry.amount:+,}", style=style),
            f"{entry.balance_after:,}",
            reasons,
        )
    return table


def _bar(current: Decimal, target: Decimal) -> ProgressBar:
    return ProgressBar(total=float(target), completed=float(min(current, target)), width=BAR_WIDTH)


def _number(value: Decimal) -> str:
    return f"{value.normalize():,f}"
