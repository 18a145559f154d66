"""Opening balances: points that partners bring over from another system, each as a lot with an expiry of its own. Pure.

They are neither earned nor a reward: no metric counts them, and no tier, mission or badge is reached by them.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from activity.rules import EARLIEST, Refusal, is_storable
from loyalty.ledger.books import MOST, OPENING, POINT, Books, EntryKind, Transaction
from loyalty.ledger.expiry import NEVER, Expiry
from loyalty.ledger.posting import tell
from loyalty.ledger.rules import grant
from metrics.windows import instant_of, local_day

RECORDED: Final = "RECORDED"
DUPLICATE: Final = "DUPLICATE"
REJECTED: Final = "REJECTED"

MAX_KEY: Final = 200
LATEST: Final = date(8999, 12, 31)
"""What expires later was never meant to: a day that stands for none."""


@dataclass(frozen=True, slots=True)
class OpeningBalance:
    """Points that a partner brings over. `key` names them for ever; the days are local to the partner.

    They are good to the end of `expires_on`, for ever where it is left out. What is spent first goes by that, then by
    `granted_on`: the day on which they are posted, where it is left out.
    """

    key: str
    partner: str
    points: int
    unit: str = POINT
    expires_on: date | None = None
    granted_on: date | None = None

    @property
    def transaction_key(self) -> str:
        """The key of its transaction in the ledger."""
        return f"opening/{self.key}"

    def carried(self) -> dict[str, Any]:
        """What its step in the ledger says, and what another one under the same key must say too."""
        return {
            "points": self.points,
            "unit": self.unit,
            "grantedOn": self.granted_on and self.granted_on.isoformat(),
            "expiresOn": self.expires_on and self.expires_on.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class OpeningOutcome:
    """What became of one opening balance. `code`, `message` and `field` are set where it was REJECTED."""

    key: str
    status: str
    transaction_id: int | None = None
    code: str = ""
    message: str = ""
    field: tuple[str, ...] = ()


class Holder(NamedTuple):
    """A locked partner."""

    id: int
    status: str
    time_zone: str


class Known(NamedTuple):
    """What was posted under a key."""

    transaction_id: int
    partner_id: int
    carried: Mapping[str, Any]


def check(given: OpeningBalance, *, units: Container[str] = (POINT,)) -> Refusal | None:
    """What is wrong with an opening balance by itself; None where nothing is. `units` are the program's."""
    if not given.key.strip() or len(given.key) > MAX_KEY or not is_storable(given.key):
        return Refusal("INVALID_TEXT", f"key must have 1 to {MAX_KEY} characters", ("key",))
    if not is_storable(given.partner):
        return Refusal("INVALID_TEXT", "it holds characters that are no text", ("partner",))
    if given.unit not in units:
        return Refusal("UNKNOWN_UNIT", f"there is no unit {given.unit}", ("unit",))
    if not 0 < given.points <= MOST:
        return Refusal("INVALID_AMOUNT", "must be above 0, and below 2^53", ("points",))
    if given.granted_on is not None and given.granted_on < EARLIEST.date():
        return Refusal("INVALID_DATE", f"grantedOn lies before {EARLIEST.year}", ("grantedOn",))
    if given.expires_on is not None and given.expires_on > LATEST:
        message = f"expiresOn lies after {LATEST.year}: leave it out where points never expire"
        return Refusal("INVALID_DATE", message, ("expiresOn",))
    return None


def check_days(given: OpeningBalance, *, today: date) -> Refusal | None:
    """What is wrong with its days on the partner's own calendar; None where nothing is."""
    if given.granted_on is not None and given.granted_on > today:
        return Refusal("FUTURE_DATE", "grantedOn lies in the future", ("grantedOn",))
    if given.expires_on is not None and given.expires_on < today:
        return Refusal("EXPIRED_BALANCE", f"it expired with {given.expires_on.isoformat()}", ("expiresOn",))
    return None


def refuse(given: OpeningBalance, refusal: Refusal) -> OpeningOutcome:
    """The answer to a balance that was not taken."""
    return OpeningOutcome(
        given.key, REJECTED, code=refusal.code, message=refusal.message, field=refusal.field
    )


@dataclass(slots=True)
class Opening:
    """The working set between the locks and the commit: balances are decided on it one at a time."""

    books: Books
    take_id: Callable[[], int]
    known: dict[str, Known]
    holders: Mapping[str, Holder]
    actor: str
    now: datetime
    posted: list[Transaction] = field(default_factory=list)

    def decide(self, given: OpeningBalance) -> OpeningOutcome:
        """A balance in its turn: a repetition answers as the first time, whatever became of the partner since."""
        holder = self.holders.get(given.partner)
        if holder is None:
            return refuse(
                given, Refusal("UNKNOWN_PARTNER", f"there is no partner {given.partner}", ("partner",))
            )
        first = self.known.get(given.transaction_key)
        if first is not None:
            return self._answer_again(given, holder, first)
        refusal = self._refusal(given, holder)
        if refusal is not None:
            return refuse(given, refusal)
        posted = self._post(given, holder)
        self.posted.append(posted)
        self.known[given.transaction_key] = Known(posted.id, holder.id, given.carried())
        return OpeningOutcome(given.key, RECORDED, posted.id)

    def _answer_again(self, given: OpeningBalance, holder: Holder, first: Known) -> OpeningOutcome:
        asked = given.carried()
        if first.partner_id == holder.id and {name: first.carried[name] for name in asked} == asked:
            return OpeningOutcome(given.key, DUPLICATE, first.transaction_id)
        message = f"{given.key} was recorded as another opening balance"
        return refuse(given, Refusal("IDEMPOTENCY_CONFLICT", message, ("key",)))

    def _refusal(self, given: OpeningBalance, holder: Holder) -> Refusal | None:
        if holder.status == "CLOSED":
            return Refusal("PARTNER_CLOSED", "the partner is closed", ("partner",))
        if refusal := check_days(given, today=local_day(self.now, holder.time_zone)):
            return refusal
        if given.points > self.books.wallet(holder.id, given.unit).room:
            return Refusal("TOO_MANY_POINTS", "the wallet would hold 2^53 points or more", ("points",))
        return None

    def _post(self, given: OpeningBalance, holder: Holder) -> Transaction:
        granted_at = self.now
        if given.granted_on is not None:
            granted_at = instant_of(given.granted_on, holder.time_zone)
        posted = Transaction(
            id=self.take_id(),
            partner_id=holder.id,
            key=given.transaction_key,
            activity_id=None,
            occurred_at=granted_at,
            posted_at=self.now,
        )
        step = posted.because.add("opening", **given.carried(), actor=self.actor)
        grant(
            self.books,
            posted,
            lot_id=self.take_id(),
            unit=given.unit,
            amount=given.points,
            kind=EntryKind.OPENING,
            because=step,
            account=OPENING,
            granted_at=granted_at,
            expiry=NEVER if given.expires_on is None else Expiry.with_day(given.expires_on),
            time_zone=holder.time_zone,
        )
        tell(posted, unit=given.unit, amount=given.points, kind=EntryKind.OPENING, on=step)
        return posted
