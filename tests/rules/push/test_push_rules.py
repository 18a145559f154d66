"""Which facts are told, in which words: pure."""

from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any

import pytest

from push.channels.protocol import Gone, Refused, Retry, Sent
from push.deliveries import ATTEMPTS, FIRST_WAIT, LONGEST_WAIT, Record, decide
from push.messages import (
    HISTORY,
    NOT_CONFIGURED,
    OLD_NEWS,
    Addressee,
    Message,
    Name,
    deliver_from,
    refuse_channel,
)
from push.rules import Happening, write_messages
from push.templates import SHIPPED

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PROGRAM = 1
NAMES = {
    (PROGRAM, "mission", "double"): Name("Double week"),
    (PROGRAM, "badge", "starter"): Name("Starter", 1),
    (PROGRAM, "badge", "mover"): Name("Mover", 3),
    (PROGRAM, "tier", "silver"): Name("Silver", 1),
    (PROGRAM, "tier", "gold"): Name("Gold", 2),
    (PROGRAM, "unit", "CASHBACK"): Name("Cashback", 2, "IDR"),
    (PROGRAM, "unit", "STAR"): Name("Stars"),
}


def tell(
    *facts: dict[str, Any],
    steps: list[dict[str, Any]] | None = None,
    locale: str | None = "en",
    program_locale: str = "en",
    texts: dict[str, Any] | None = None,
    occurred_at: datetime = NOW,
    time_zone: str = "Asia/Jakarta",
) -> list[Message]:
    happening = Happening(
        to=Addressee(
            program_id=PROGRAM,
            partner_id=7,
            time_zone=time_zone,
            locale=locale,
            program_locale=program_locale,
            program_texts=texts or {},
        ),
        transaction_id=5,
        occurred_at=occurred_at,
        posted_at=NOW,
        steps=steps or [{"step": "activity", "on": None}],
        facts=facts,
    )
    return list(write_messages(happening, names=NAMES))


def points(kind: str, amount: int, *, unit: str = "POINT", because: int = 0) -> dict[str, Any]:
    return {"type": "PointsPosted", "because": because, "unit": unit, "amount": amount, "kind": kind}


COMPLETED = {"type": "MissionCompleted", "because": 0, "mission": "double", "window": "once"}


@pytest.mark.parametrize(
    ("fact", "template", "title", "body"),
    [
        (
            points("REWARD", 1234),
            "points_rewarded",
            "1,234 points for you",
            "You received a reward of 1,234 points.",
        ),
        (points("REVERSE", -1), "points_reversed", "1 point taken back", "Taken back: 1 point."),
        (points("REVERSE", 20), "points_restored", "20 points restored", "Given back to you: 20 points."),
        (points("ADJUST", 50), "points_added", "50 points added", "Added to your balance: 50 points."),
        (
            points("ADJUST", -50),
            "points_deducted",
            "50 points deducted",
            "Deducted from your balance: 50 points.",
        ),
        (points("CAPTURE", -500), "points_spent", "500 points spent", "Spent: 500 points."),
        (points("EXPIRE", -120), "points_expired", "120 points expired", "120 points expired on 2 March."),
        (points("EXPIRE", -1), "points_expired", "1 point expired", "1 point expired on 2 March."),
        (
            {"type": "PointsMatured", "because": 0, "unit": "POINT", "amount": 1240},
            "points_matured",
            "1,240 points available",
            "Ready to use, and no longer pending: 1,240 points.",
        ),
        (COMPLETED, "mission_completed", "Mission completed", "You completed the mission “Double week”."),
        (
            {"type": "MissionRevoked", "because": 0, "mission": "double", "window": "once"},
            "mission_revoked",
            "Mission no longer complete",
            "The mission “Double week” is no longer complete.",
        ),
        (
            {"type": "BadgeAwarded", "because": 0, "badge": "starter", "level": 1},
            "badge_awarded",
            "New badge: Starter",
            "You earned the badge “Starter”.",
        ),
        (
            {"type": "BadgeAwarded", "because": 0, "badge": "mover", "level": 2},
            "badge_level_awarded",
            "Mover: level 2",
            "You reached level 2 of the badge “Mover”.",
        ),
        (
            {"type": "BadgeRevoked", "because": 0, "badge": "mover", "level": 2},
            "badge_level_revoked",
            "Mover: level 2 taken back",
            "Level 2 of the badge “Mover” is no longer yours.",
        ),
        (
            {"type": "TierChanged", "because": 0, "from": None, "to": "silver"},
            "tier_reached",
            "Welcome to Silver",
            "Your tier is now Silver.",
        ),
        (
            {"type": "TierChanged", "because": 0, "from": "silver", "to": "gold"},
            "tier_raised",
            "Welcome to Gold",
            "You moved up from Silver to Gold.",
        ),
        (
            {"type": "TierChanged", "because": 0, "from": "gold", "to": "silver"},
            "tier_lowered",
            "Your tier is now Silver",
            "You moved down from Gold to Silver.",
        ),
        (
            {"type": "TierChanged", "because": 0, "from": "silver", "to": None},
            "tier_lost",
            "Tier ended",
            "You are no longer in the tier Silver.",
        ),
    ],
)
def test_a_fact_is_told(fact: dict[str, Any], template: str, title: str, body: str) -> None:
    (message,) = tell(fact)
    assert (message.template, message.title, message.body) == (template, title, body)
    assert (message.to.program_id, message.to.partner_id) == (PROGRAM, 7)
    assert (message.transaction_id, message.facts) == (5, (0,))


def test_what_a_sale_earned_and_what_only_advanced_is_not_told() -> None:
    advanced = {
        "type": "ObjectiveAdvanced",
        "because": 0,
        "mission": "double",
        "window": "once",
        "objective": "sales",
        "current": "80",
        "target": "100",
    }
    told = tell(points("EARN", 10), advanced, {**advanced, "type": "ObjectiveReceded"}, COMPLETED)
    assert [(message.template, message.facts) for message in told] == [("mission_completed", (3,))]


def test_reasons_come_from_the_chain() -> None:
    steps: list[dict[str, Any]] = [
        {"step": "activity", "on": None},
        {"step": "mission", "on": 0, "mission": "double", "window": "once", "n": 1},
        {"step": "reward", "on": 1, "points": 500, "unit": "POINT"},
        {"step": "adjustment", "on": None, "reason": "Fair damage", "actor": "finance"},
        {"step": "return", "on": None, "kind": "RETURN"},
        {"step": "reversal", "on": 4, "points": 3},
    ]
    told = tell(
        points("REWARD", 500, because=2),
        points("ADJUST", 9, because=3),
        points("REVERSE", -3, because=5),
        steps=steps,
    )
    assert [message.body for message in told] == [
        "You received 500 points for the mission “Double week”.",
        "Added to your balance: 9 points. Fair damage",
        "Taken back after a return: 3 points.",
    ]


def test_what_one_cause_does_by_many_rules_is_one_message_of_each_sort() -> None:
    steps: list[dict[str, Any]] = [
        {"step": "return", "on": None, "kind": "RETURN"},
        {"step": "reversal", "on": 0, "points": 800},
        {"step": "reversal", "on": 0, "points": 1250, "unit": "CASHBACK"},
        {"step": "mission_revoked", "on": 0, "mission": "double"},
        {"step": "reversal", "on": 3, "points": 440},
    ]
    revoked = {"type": "MissionRevoked", "because": 3, "mission": "double", "window": "once"}
    facts = (
        points("REVERSE", -800, because=1),
        points("REVERSE", -1250, because=2, unit="CASHBACK"),
        revoked,
        points("REVERSE", -440, because=4),
    )
    told = tell(*facts, steps=steps)
    assert [(message.body, message.facts) for message in told] == [
        ("Taken back after a return: 1,240 points and IDR 12.50.", (0, 1, 3)),
        ("The mission “Double week” is no longer complete.", (2,)),
    ]
    assert tell(*facts, steps=steps, locale="id")[0].body == (
        "Ditarik kembali karena retur: 1.240 poin dan IDR 12,50."
    )


def test_a_return_tells_what_is_owed_of_it() -> None:
    steps: list[dict[str, Any]] = [
        {"step": "return", "on": None, "kind": "RETURN"},
        {"step": "reversal", "on": 0, "points": 5000},
        {"step": "reversal", "on": 0, "points": 414, "owed": 400},
        {"step": "reversal", "on": 0, "points": 1250, "unit": "CASHBACK", "owed": 1250},
        {"step": "reversal", "on": None, "points": 1, "owed": 1},
    ]
    facts = (
        points("REVERSE", -5000, because=1),
        points("REVERSE", -414, because=2),
        points("REVERSE", -1250, because=3, unit="CASHBACK"),
        points("REVERSE", -1, because=4),
    )
    english, indonesian = (tell(*facts, steps=steps, locale=locale) for locale in ("en", "id"))
    assert [(message.template, message.body, message.facts) for message in english] == [
        (
            "points_reversed_for_return_owed",
            (
                "Taken back after a return: 5,414 points and IDR 12.50. "
                "Of this you owe 400 points and IDR 12.50; what comes in next repays it."
            ),
            (0, 1, 2),
        ),
        (
            "points_reversed_owed",
            "Taken back: 1 point. Of this you owe 1 point; what comes in next repays it.",
            (3,),
        ),
    ]
    assert indonesian[0].body == (
        "Ditarik kembali karena retur: 5.414 poin dan IDR 12,50. "
        "Dari jumlah ini Anda berutang 400 poin dan IDR 12,50, yang dilunasi oleh perolehan berikutnya."
    )


@pytest.mark.parametrize(("locale", "written"), [("en", "5,414"), ("id", "5.414")])
def test_every_message_groups_its_amounts_by_language(locale: str, written: str) -> None:
    matured = {"type": "PointsMatured", "because": 0, "unit": "POINT", "amount": 5414}
    kinds = {"REWARD": 1, "REVERSE": -1, "ADJUST": 1, "CAPTURE": -1, "EXPIRE": -1}
    told = tell(*(points(kind, sign * 5414) for kind, sign in kinds.items()), matured, locale=locale)
    assert len(told) == 6
    for message in told:
        assert written in message.title
        assert written in message.body


def test_rewards_of_two_missions_are_two_messages() -> None:
    steps: list[dict[str, Any]] = [
        {"step": "mission", "on": None, "mission": "double"},
        {"step": "mission", "on": None, "mission": "other"},
    ]
    told = tell(points("REWARD", 5), points("REWARD", 7, because=1), points("REWARD", 1), steps=steps)
    assert [(message.body, message.facts) for message in told] == [
        ("You received 6 points for the mission “Double week”.", (0, 2)),
        ("You received 7 points for the mission “other”.", (1,)),
    ]


@pytest.mark.parametrize(
    ("amount", "unit", "english", "indonesian"),
    [
        (1, "POINT", "1 point", "1 poin"),
        (123450, "POINT", "123,450 points", "123.450 poin"),
        (123450, "CASHBACK", "IDR 1,234.50", "IDR 1.234,50"),
        (5, "CASHBACK", "IDR 0.05", "IDR 0,05"),
        (3, "STAR", "3 Stars", "3 Stars"),
        (3, "GONE", "3 GONE", "3 GONE"),
    ],
)
def test_an_amount_is_written_as_its_unit_is(amount: int, unit: str, english: str, indonesian: str) -> None:
    titles = [tell(points("CAPTURE", -amount, unit=unit), locale=locale)[0].title for locale in ("en", "id")]
    assert titles == [f"{english} spent", f"{indonesian} dipakai"]


def test_neither_opening_balances_nor_what_moves_between_buckets_is_told() -> None:
    kinds = ("OPENING", "EARN", "HOLD", "RELEASE", "REPAY", "MATURE", "TRANSFER")
    assert tell(*(points(kind, 10) for kind in kinds)) == []


def test_what_was_bought_is_named() -> None:
    steps = [{"step": "captured", "on": None, "purpose": "A kettle", "points": 500, "unit": "POINT"}]
    (message,) = tell(points("CAPTURE", -500), steps=steps)
    assert message.body == "Spent: 500 points. A kettle"


@pytest.mark.parametrize(
    ("occurred_at", "time_zone", "english", "indonesian"),
    [
        (datetime(2026, 2, 28, 17, tzinfo=UTC), "Asia/Jakarta", "28 February", "28 Februari"),
        (datetime(2026, 2, 28, 17, tzinfo=UTC), "UTC", "28 February", "28 Februari"),
        (datetime(2026, 3, 1, 0, tzinfo=UTC), "UTC", "28 February", "28 Februari"),
    ],
)
def test_points_expired_on_their_last_local_day(
    occurred_at: datetime, time_zone: str, english: str, indonesian: str
) -> None:
    fact = points("EXPIRE", -120)
    told = [
        tell(fact, locale=locale, occurred_at=occurred_at, time_zone=time_zone)[0].body
        for locale in ("en", "id")
    ]
    assert told == [f"120 points expired on {english}.", f"120 poin kedaluwarsa pada {indonesian}."]


def test_what_time_did_to_a_past_that_was_loaded_is_not_told() -> None:
    matured = {"type": "PointsMatured", "because": 0, "unit": "POINT", "amount": 9}
    long_ago = NOW - HISTORY - timedelta(seconds=1)
    assert tell(matured, points("EXPIRE", -9), occurred_at=long_ago) == []
    assert len(tell(matured, points("EXPIRE", -9), occurred_at=NOW - HISTORY)) == 2


@pytest.mark.parametrize(
    ("repaid", "template", "amount"),
    [(40, "points_matured", "60 points"), (100, "points_repaid", "100 points")],
)
def test_what_matures_is_told_without_what_went_to_a_debt(repaid: int, template: str, amount: str) -> None:
    steps: list[dict[str, Any]] = [
        {"step": "matured", "on": None, "points": 100, "unit": "POINT", "lots": 1},
        {"step": "repaid", "on": 0, "points": repaid},
    ]
    matured = {"type": "PointsMatured", "because": 0, "unit": "POINT", "amount": 100}
    (message,) = tell(matured, steps=steps)
    assert (message.template, amount in message.title) == (template, True)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-02T00:30", "2026-03-02T01:00"),
        ("2026-03-02T01:00", "2026-03-02T01:00"),
        ("2026-03-02T13:59", "2026-03-02T13:59"),
        ("2026-03-02T14:00", "2026-03-03T01:00"),
        ("2026-03-02T17:00", "2026-03-03T01:00"),
    ],
)
def test_nobody_is_woken_for_what_the_calendar_brings(now: str, expected: str) -> None:
    """In Jakarta, seven hours ahead, the morning begins at 1:00 UTC and the evening at 14:00."""
    at, then = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (now, expected))
    assert deliver_from("points_expired", now=at, time_zone="Asia/Jakarta") == then
    assert deliver_from("mission_completed", now=at, time_zone="Asia/Jakarta") == at


def test_a_thing_without_a_name_is_called_by_its_key() -> None:
    (message,) = tell({**COMPLETED, "mission": "gone"})
    assert message.body == "You completed the mission “gone”."


@pytest.mark.parametrize(
    ("locale", "program_locale", "chosen"),
    [
        ("id-ID", "en", "id"),
        ("id_ID", "en", "id"),
        ("in", "en", "id"),
        ("ID", "en", "id"),
        ("en-GB", "id", "en"),
        ("fr-FR", "id-ID", "id"),
        (None, "id", "id"),
        ("fr", "de", "en"),
        ("", "", "en"),
    ],
)
def test_the_language_falls_back_to_the_programs_and_then_to_english(
    locale: str | None, program_locale: str, chosen: str
) -> None:
    (message,) = tell(COMPLETED, locale=locale, program_locale=program_locale)
    assert message.locale == chosen
    assert message.title == SHIPPED[chosen].texts["mission_completed"][0]


def test_every_language_tells_everything_with_the_same_places() -> None:
    places = {
        locale: {
            template: {name for text in texts for name in Template(text).get_identifiers()}
            for template, texts in words.texts.items()
        }
        for locale, words in SHIPPED.items()
    }
    assert places["id"] == places["en"]


def test_a_program_has_texts_of_its_own() -> None:
    own = {"id": {"mission_completed": {"title": "Mantap!", "body": "Misi $mission beres."}}}
    (indonesian,) = tell(COMPLETED, locale="id-ID", texts=own)
    (english,) = tell(COMPLETED, locale="en", program_locale="id", texts=own)
    assert (indonesian.title, indonesian.body) == ("Mantap!", "Misi Double week beres.")
    assert english.title == "Mission completed"


@pytest.mark.parametrize(
    "broken",
    [
        {"title": "$partner", "body": "x"},
        {"title": "only"},
        {"title": "$", "body": "x"},
        "text",
        {"title": 1},
    ],
)
def test_a_broken_text_of_a_program_gives_way_to_the_shipped_one(broken: object) -> None:
    (message,) = tell(COMPLETED, texts={"en": {"mission_completed": broken}})
    assert message.title == "Mission completed"


def test_old_news_goes_to_the_inbox_alone() -> None:
    assert refuse_channel(posted_at=NOW - HISTORY, now=NOW, is_configured=True) is None
    earlier = NOW - HISTORY - timedelta(seconds=1)
    assert refuse_channel(posted_at=earlier, now=NOW, is_configured=True) == OLD_NEWS
    assert refuse_channel(posted_at=NOW, now=NOW, is_configured=False) == NOT_CONFIGURED


def test_a_retry_waits_longer_each_time_and_ends() -> None:
    waits = []
    for attempts in range(1, ATTEMPTS):
        record = decide(Retry("busy"), attempts=attempts, now=NOW, jitter=0.0)
        assert (record.state, record.error) == ("QUEUED", "busy")
        assert record.due_at is not None
        waits.append(record.due_at - NOW)
    assert waits[:3] == [FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4]
    assert waits[-1] == LONGEST_WAIT
    assert decide(Retry("busy"), attempts=ATTEMPTS, now=NOW, jitter=0.0) == Record("FAILED", "busy")


def test_jitter_and_the_services_own_wish_only_lengthen_a_wait() -> None:
    assert decide(Retry("busy"), attempts=1, now=NOW, jitter=1.0).due_at == NOW + FIRST_WAIT * 1.5
    asked = Retry("busy", after=timedelta(minutes=30))
    assert decide(asked, attempts=1, now=NOW, jitter=0.0).due_at == NOW + timedelta(minutes=30)
    soon = Retry("busy", after=timedelta(seconds=1))
    assert decide(soon, attempts=1, now=NOW, jitter=0.0).due_at == NOW + FIRST_WAIT


def test_what_is_sent_or_refused_ends() -> None:
    assert decide(Sent(), attempts=1, now=NOW, jitter=0.0) == Record("SENT")
    assert decide(Refused("no"), attempts=1, now=NOW, jitter=0.0) == Record("FAILED", "no")
    assert decide(Gone("gone"), attempts=1, now=NOW, jitter=0.0) == Record("FAILED", "gone")
