"""A wallet replayed: who was passed over, and what was taken too early or too late."""

from datetime import UTC, datetime, timedelta

from ops.audit.replaying import Event, Replay, ReplayedLot

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def lot(
    id_: int, *, expires: int | None = None, pending: bool = False, is_unsure: bool = False
) -> ReplayedLot:
    expires_at = None if expires is None else NOON + expires * DAY
    matures_at = NOON + DAY if pending else NOON
    return ReplayedLot(id_, NOON, matures_at, expires_at, is_unsure, matured=not pending)


def event(kind: str, lot_id: int, amount: int, *, day: int = 0) -> Event:
    at = NOON + day * DAY
    return Event(at, at, matures=False, lot_id=lot_id, kind=kind, amount=amount)


def matured(day: int) -> Event:
    return Event(NOON + day * DAY, NOON + day * DAY, matures=True)


def replay(lots: list[ReplayedLot], *events: Event) -> list[str]:
    granted = [event("GRANTED", one.id, 10) for one in lots]
    return Replay({one.id: one for one in lots}).take([*granted, *events])


def test_the_earliest_expiry_and_then_the_oldest_goes_first() -> None:
    lots = [lot(1), lot(2), lot(3, expires=5), lot(4, expires=3)]
    in_order = [event("SPENT", 4, 10), event("HELD", 3, 10), event("SPENT", 1, 4), event("SPENT", 1, 6)]
    assert replay(lots, *in_order, event("SPENT", 2, 1)) == []
    assert replay([lot(1), lot(2)], event("SPENT", 2, 1)) == ["lot 2 was taken from before lot 1"]
    assert replay([lot(1), lot(2, expires=9)], event("HELD", 1, 1)) == ["lot 1 was taken from before lot 2"]


def test_what_is_released_stands_in_its_place_again() -> None:
    moved = [event("HELD", 1, 10), event("SPENT", 2, 1), event("RELEASED", 1, 10)]
    assert replay([lot(1), lot(2)], *moved, event("SPENT", 1, 1)) == []
    assert replay([lot(1), lot(2)], *moved, event("SPENT", 2, 1)) == ["lot 2 was taken from before lot 1"]
    assert (
        replay([lot(1), lot(2)], event("HELD", 1, 10), event("CAPTURED", 1, 10), event("SPENT", 2, 1)) == []
    )


def test_nothing_is_taken_before_it_has_matured_or_after_it_has_expired() -> None:
    early = replay([lot(1, pending=True)], event("HELD", 1, 1))
    assert early == ["lot 1 was taken from before it had matured"]
    assert replay([lot(1, pending=True)], matured(1), event("HELD", 1, 1, day=1)) == []
    late = replay([lot(1, expires=2)], event("SPENT", 1, 1, day=2))
    assert late == ["lot 1 was taken from after it had expired"]
    assert replay([lot(1, pending=True), lot(2)], event("SPENT", 2, 1)) == []


def test_what_slides_has_no_place_that_is_known() -> None:
    assert replay([lot(1, is_unsure=True), lot(2)], event("SPENT", 2, 1), event("SPENT", 1, 1)) == []
