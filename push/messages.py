"""A message to a partner: whom it is for, how it is written, and when it may be sent. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from loyalty.ledger.amounts import Unit
from loyalty.words.speech import Speech
from metrics.windows import local_day, zone
from push.templates import choose_words, fallbacks, fill
from push.words import Words

HISTORY: Final = timedelta(days=3)
"""Older news is history that was loaded, or a backlog: it is for the inbox, not for the phone in a pocket."""

NOT_CONFIGURED: Final = "NOT_CONFIGURED"  # the channel has no credentials here
OLD_NEWS: Final = "OLD_NEWS"
NO_DEVICE: Final = "NO_DEVICE"  # the partner registered none
DEVICE_GONE: Final = "DEVICE_GONE"  # it was forgotten, or moved to another partner, before its turn came

UNHURRIED: Final = frozenset({"points_matured", "points_repaid", "points_expired", "points_expiring"})
"""What the calendar brings, mostly at midnight: nobody did anything just now, so nobody is woken for it."""
MORNING: Final = time(8)
EVENING: Final = time(21)


@dataclass(frozen=True, slots=True)
class Addressee:
    """A partner, in which language it is written to, and on whose calendar."""

    program_id: int
    partner_id: int
    time_zone: str
    locale: str | None
    program_locale: str
    program_texts: Mapping[str, Any] = field(default_factory=dict)
    """The program's own texts: locale → template → title and body."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a mission, badge, tier or unit is called; a badge's number of levels, a tier's level, a unit's digits."""

    name: str
    level: int = 0
    currency: str | None = None


Names = Mapping[tuple[int, str, str], Name]
"""By program, kind (mission, badge, tier, unit) and key."""


@dataclass(frozen=True, slots=True)
class Message:
    """Facts of one transaction, told; or none, where it tells of what is to come."""

    to: Addressee
    transaction_id: int | None
    facts: tuple[int, ...]
    """Their places in the transaction; the message is known by the first."""
    template: str
    locale: str
    title: str
    body: str
    posted_at: datetime


class Teller:
    """Writes to one partner."""

    def __init__(self, to: Addressee, names: Names) -> None:
        self._to = to
        self._names = names
        self._words = choose_words(to.locale, to.program_locale)
        units = {
            key: Unit(key, name.name, name.currency, name.level)
            for (program_id, kind, key), name in names.items()
            if kind == "unit" and program_id == to.program_id
        }
        self.speech: Final[Speech] = self._words.speech.about({}, units)

    def name(self, kind: str, key: str) -> Name:
        """What a thing is called; its key, where it has no name."""
        return self._names.get((self._to.program_id, kind, key)) or Name(key)

    def date(self, day: date, *, now: datetime) -> str:
        """A day; with its year, where it is another than the present one."""
        same_year = day.year == local_day(now, self._to.time_zone).year
        return self.speech.day_of_year(day) if same_year else self.speech.day(day.isoformat())

    def list_amounts(self, amounts: Mapping[str, int]) -> str:
        """Amounts by unit, one after the other, without their signs."""
        return self.speech.listed([self.speech.points(abs(amount), unit) for unit, amount in amounts.items()])

    def write(
        self,
        template: str,
        values: Mapping[str, str],
        amounts: Mapping[str, int],
        *,
        posted_at: datetime,
        transaction_id: int | None = None,
        facts: tuple[int, ...] = (),
    ) -> Message:
        """A message; `amounts` by unit are its `$amount`."""
        if amounts:
            values = {**values, "amount": self.list_amounts(amounts)}
        title, body = fill(template, values, words=self._words, own=_own_texts(self._to, self._words))
        return Message(
            to=self._to,
            transaction_id=transaction_id,
            facts=facts,
            template=template,
            locale=self._words.locale,
            title=title,
            body=body,
            posted_at=posted_at,
        )


def _own_texts(to: Addressee, words: Words) -> Mapping[str, Any]:
    """The program's own texts in the language of `words`, those of the closest locale first."""
    for locale in fallbacks(to.locale, to.program_locale):
        texts = to.program_texts.get(locale)
        if isinstance(texts, Mapping) and locale.split("-")[0] == words.locale:
            return texts
    return {}


def refuse_channel(*, posted_at: datetime, now: datetime, is_configured: bool) -> str | None:
    """Why nothing is sent over a channel; None where it is."""
    if not is_configured:
        return NOT_CONFIGURED
    if now - posted_at > HISTORY:
        return OLD_NEWS
    return None


def deliver_from(template: str, *, now: datetime, time_zone: str) -> datetime:
    """From when a message may be sent: now; or in the partner's morning, where it can wait."""
    if template not in UNHURRIED:
        return now
    local = now.astimezone(zone(time_zone))
    if MORNING <= local.time() < EVENING:
        return now
    day = local.date() + timedelta(days=local.time() >= EVENING)
    return datetime.combine(day, MORNING, tzinfo=zone(time_zone)).astimezone(now.tzinfo)
