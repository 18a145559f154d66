"""A wallet lived through again: who was passed over, what was taken too early or too late, and what time left."""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from loyalty.ledger.books import LotMovement, MovementKind
from loyalty.ledger.expiry import NEVER, Expiry
from ops.audit.wallets import Entry, Replay, ReplayedLot, StoredLot, StoredWallet

NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
MIDNIGHT: Final = datetime(2026, 11, 21, tzinfo=UTC)
DAY: Final = timedelta(days=1)
SLIDING: Final = Expiry.sliding(days=3)

Step = tuple[Entry, list[LotMovement]]


def lot(
    id_: int,
    expiry: Expiry = NEVER,
    *,
    locked: int = 0,
    day: int = 0,
    zone: str | None = None,
    found: datetime | None = None,
) -> ReplayedLot:
    """A lot that is granted at noon of a day, and matures so many days later."""
    at = NOON + day * DAY
    return ReplayedLot(
        id_, at, at + locked * DAY, expiry, zone or (None if expiry == NEVER else "UTC"), found
    )


def entry(
    kind: str, amount: int, *moved: tuple[int, str, int], day: int = 0, bucket: str = "AVAILABLE", of: int = 0
) -> Step:
    """One that is posted at noon of a day, in a transaction of its own, and what lots (id, kind, amount) did."""
    at = NOON + day * DAY
    told = Entry(0, at, at, kind, bucket, amount, of or None)
    return told, [LotMovement(id_, MovementKind(what), part) for id_, what, part in moved]


def grant(id_: int, kind: str = "EARN", *, day: int = 0, bucket: str = "AVAILABLE", amount: int = 10) -> Step:
    return entry(kind, amount, (id_, "GRANTED", amount), day=day, bucket=bucket, of=id_)


def hold(*parts: tuple[int, int], day: int = 0) -> Step:
    return entry("HOLD", -sum(part for _, part in parts), *((id_, "HELD", n) for id_, n in parts), day=day)


def spend(*parts: tuple[int, int], day: int = 0) -> Step:
    return entry("ADJUST", -sum(part for _, part in parts), *((id_, "SPENT", n) for id_, n in parts), day=day)


def release(id_: int, amount: int, *, day: int = 0) -> Step:
    return entry("RELEASE", amount, (id_, "RELEASED", amount), day=day)


def expire(id_: int, amount: int, *, at: datetime) -> Step:
    told = Entry(0, at + DAY, at, "EXPIRE", "AVAILABLE", -amount)
    return told, [LotMovement(id_, MovementKind.EXPIRED, amount)]


def take_back(id_: int, amount: int, *, of: int, day: int = 0, bucket: str = "AVAILABLE") -> Step:
    moved = [] if bucket == "DEBT" else [(id_, "REVERSED", amount)]
    return entry("REVERSE", -amount, *moved, day=day, bucket=bucket, of=of)


def live(lots: Sequence[ReplayedLot], *steps: Step) -> Replay:
    """The wallet after these."""
    replay = Replay({one.id: one for one in lots})
    numbered = [(told._replace(transaction_id=place), moved) for place, (told, moved) in enumerate(steps)]
    replay.take(
        [told for told, _ in numbered], {told.transaction_id: deque(moved) for told, moved in numbered}
    )
    return replay


def replay(lots: Sequence[ReplayedLot], *steps: Step) -> list[str]:
    return live(lots, *steps).offending


def compare(
    lived: Replay, stored: Mapping[int, StoredLot], idle: str | None = None, until: datetime | None = None
) -> list[str]:
    lived.compare("the wallet", StoredWallet(idle, until), stored)
    return lived.offending


def test_the_earliest_expiry_and_then_the_oldest_goes_first() -> None:
    def granted() -> tuple[list[ReplayedLot], list[Step]]:
        lots = [lot(1), lot(2), lot(3, Expiry.after(days=5)), lot(4, Expiry.after(days=3))]
        return lots, [grant(one.id) for one in lots]

    lots, steps = granted()
    in_order = [spend((4, 10)), hold((3, 10)), spend((1, 4)), spend((1, 6), (2, 1))]
    assert replay(lots, *steps, *in_order) == []
    lots, steps = granted()
    assert replay(lots, *steps, spend((3, 1))) == ["lot 3 was spent before lot 4"]
    assert replay([lot(1), lot(2)], grant(1), grant(2), hold((2, 1))) == ["lot 2 was held before lot 1"]


def test_what_is_released_stands_in_its_place_again() -> None:
    held = [grant(1), grant(2), hold((1, 10)), spend((2, 1))]
    assert replay([lot(1), lot(2)], *held, release(1, 10), spend((1, 1))) == []
    assert replay([lot(1), lot(2)], *held, release(1, 10), spend((2, 1))) == ["lot 2 was spent before lot 1"]
    captured = entry("CAPTURE", -10, (1, "CAPTURED", 10), bucket="HELD")
    assert replay([lot(1), lot(2)], *held, captured, spend((2, 1))) == []


def test_nothing_is_taken_before_it_has_matured_or_after_it_has_expired() -> None:
    pending = [grant(1, bucket="PENDING")]
    assert replay([lot(1, locked=1)], *pending, hold((1, 1))) == [
        "lot 1 was held as AVAILABLE before it had matured"
    ]
    matured = entry("MATURE", 10, day=1)
    assert replay([lot(1, locked=1)], *pending, matured, hold((1, 1), day=1)) == []
    assert replay([lot(1, locked=1)], *pending, entry("MATURE", 9, day=1))[0].endswith("9, where 10 were due")
    assert replay([lot(1, locked=1)], grant(1)) == ["lot 1 was granted as AVAILABLE before it had matured"]
    late = replay([lot(1, Expiry.after(days=1))], grant(1), spend((1, 1), day=2))
    assert late == ["lot 1 was spent after it had expired"]
    assert replay([lot(1, locked=1), lot(2)], *pending, grant(2), spend((2, 1))) == []


def test_entries_and_lots_move_together() -> None:
    short = replay([lot(1)], (grant(1)[0], []))
    assert short == ["transaction 0 posted 10 as AVAILABLE of which no lot was granted"]
    told, moved = grant(1)
    more = replay([lot(1), lot(2)], (told, [*moved, LotMovement(2, MovementKind.HELD, 3)]))
    assert more == ["lot 2 was held by transaction 0 without an entry"]


def test_what_expires_is_what_was_due() -> None:
    until = MIDNIGHT + DAY
    day = Expiry.after(days=1)
    assert replay([lot(1, day)], grant(1), expire(1, 10, at=until)) == []
    assert replay([lot(1, day)], grant(1), expire(1, 9, at=until)) == [
        "9 of lot 1 expired, where 10 were due"
    ]
    assert replay([lot(1)], grant(1), expire(1, 10, at=until)) == ["lot 1 expired before its time"]


def test_sliding_lots_stand_where_their_wallet_expires() -> None:
    until = MIDNIGHT + 3 * DAY

    def granted(**found: datetime) -> list[ReplayedLot]:
        return [lot(1, SLIDING), lot(2, Expiry.after(days=2), found=found.get("second", until))]

    steps = [grant(1), grant(2, "REWARD")]
    assert replay(granted(), *steps, spend((2, 1))) == []
    assert replay(granted(), *steps, spend((1, 1))) == ["lot 1 was spent before lot 2"]
    # A third is earned, and puts them off beyond itself; now it goes before them.
    third = lot(3, Expiry.after(days=2), day=1, found=until)
    first = replay([*granted(), third], *steps, grant(3, day=1), spend((2, 10), (3, 1), day=1))
    assert first == []
    assert replay(granted(second=until + DAY), *steps)[0].startswith("lot 2 found what slides alive until")
    assert replay(granted(), *steps, hold((1, 1), day=5)) == [
        "lot 1 was held after it had expired",
        "lot 1 was held before lot 2",
    ]


def test_a_lot_on_whose_calendar_nothing_stands_is_found() -> None:
    lots = [lot(1, SLIDING), lot(2, found=MIDNIGHT + 3 * DAY)]
    assert replay(lots, grant(1), grant(2)) == ["lot 2 does not say whose days its own are"]
    assert replay([lot(1, SLIDING), lot(2, found=MIDNIGHT + 3 * DAY)], grant(1), grant(2, "REWARD")) == []


def test_days_are_those_of_the_calendar_it_was_granted_on() -> None:
    for zone, day in (("Pacific/Kiritimati", 24), ("Etc/GMT+12", 24), ("UTC", 24)):
        lived = live([lot(1, SLIDING, zone=zone)], grant(1))
        offset = {"Pacific/Kiritimati": 10, "Etc/GMT+12": 12, "UTC": 0}[zone]
        until = datetime(2026, 11, day, offset, tzinfo=UTC)
        assert compare(lived, {1: StoredLot(True, True, None)}, "3d", until) == [], zone


def test_sliding_lots_that_are_held_get_the_moment_without_an_entry() -> None:
    until = MIDNIGHT + 3 * DAY

    def held(*steps: Step, found: datetime | None = None) -> Replay:
        lots = [lot(1, SLIDING), lot(2, day=6, found=found)]
        return live(lots, grant(1), hold((1, 10)), *steps)

    slides, ended = StoredLot(True, True, None), StoredLot(True, False, until)
    unborn = {2: StoredLot(False, False, None)}
    assert compare(held(), {1: slides} | unborn, "3d", until) == []
    assert compare(held(), {1: ended} | unborn, "3d") == []
    assert compare(held(), {1: slides} | unborn, "3d") == [f"lot 1 slides, and ought to expire at {until}"]
    assert compare(held(), {1: ended} | unborn, "3d", until) == [
        f"lot 1 expires at {until}, and ought to slide"
    ]
    # Whoever earned later found it so; beside a past that was being loaded, it was not.
    later = {2: StoredLot(True, False, None)}
    assert compare(held(grant(2, day=6)), {1: ended} | later, "3d") == []
    beside = held(grant(2, "REWARD", day=6), found=until)
    assert compare(beside, {1: slides} | later, "3d", until) == []
    back = [release(1, 10, day=6), (expire(1, 10, at=NOON + 6 * DAY))]
    assert compare(held(*back), {1: ended._replace(is_over=True)} | unborn, "3d") == []


def test_a_remainder_that_stands_in_for_what_a_return_took_expires_no_more() -> None:
    until = MIDNIGHT + DAY

    def lived(*steps: Step) -> Replay:
        lots = [lot(1, Expiry.after(days=1)), lot(2), lot(3)]
        took = [hold((1, 10)), take_back(2, 10, of=1), release(1, 10, day=1)]
        return live(lots, grant(1), grant(2), grant(3), *took, *steps)

    def stored(expires_at: datetime | None) -> dict[int, StoredLot]:
        kept = StoredLot(True, False, None)
        return {1: StoredLot(True, False, expires_at), 2: kept, 3: kept}

    assert compare(lived(), stored(until)) == []
    assert compare(lived(), stored(None)) == []
    assert compare(lived(), stored(until + DAY))[0].startswith("lot 1 expires at")
    # Among those that never expire it is the oldest, from its day on.
    assert lived(spend((1, 1), day=1)).offending == []
    assert lived(spend((1, 1), day=5)).offending == []
    assert lived(spend((3, 1), day=5)).offending == ["lot 3 was spent before lot 1"]
    assert lived(expire(1, 10, at=until)).offending == ["10 of lot 1 expired, where 0 were due"]


def test_what_is_stored_of_time_is_what_comes_out() -> None:
    matured = live([lot(1)], grant(1))
    assert compare(matured, {1: StoredLot(False, False, None)}) == ["lot 1 has not matured"]
    moment = live([lot(1, SLIDING)], grant(1))
    assert compare(moment, {1: StoredLot(True, True, None)}, "3d", MIDNIGHT)[0].startswith(
        "the wallet slides"
    )
    term = live([lot(1, SLIDING)], grant(1))
    assert compare(term, {1: StoredLot(True, True, None)}, "4d", MIDNIGHT + 3 * DAY) != []
    never = live([lot(1, Expiry.after(days=1))], grant(1))
    assert compare(never, {1: StoredLot(True, False, None)})[0].startswith("lot 1 expires at None")
