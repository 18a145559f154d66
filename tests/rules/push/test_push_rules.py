"""Which facts are told, in which words: pure."""

from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any

import pytest

from push.channels.protocol import Gone, Refused, Retry, Sent
from push.deliveries import ATTEMPTS, FIRST_WAIT, LONGEST_WAIT, Record, decide
from push.rules import (
    HISTORY,
    NOT_CONFIGURED,
    OLD_NEWS,
    Happening,
    Message,
    Name,
    refuse_channel,
    write_messages,
)
from push.templates import SHIPPED, choose_words, format_amount, format_number

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PROGRAM = 1
NAMES = {
    (PROGRAM, "mission", "double"): Name("Double week"),
    (PROGRAM, "badge", "starter"): Name("Starter", 1),
    (PROGRAM, "badge", "mover"): Name("Mover", 3),
    (PROGRAM, "tier", "silver"): Name("Silver", 1),
    (PROGRAM, "tier", "gold"): Name("Gold", 2),
}


def tell(
    *facts: dict[str, Any],
    steps: list[dict[str, Any]] | None = None,
    locale: str | None = "en",
    program_locale: str = "en",
    texts: dict[str, Any] | None = None,
) -> list[Message]:
    happening = Happening(
        program_id=PROGRAM,
        transaction_id=5,
        partner_id=7,
        posted_at=NOW,
        steps=steps or [{"step": "activity", "on": None}],
        facts=facts,
        locale=locale,
        program_locale=program_locale,
        program_texts=texts or {},
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
    assert (message.program_id, message.transaction_id, message.partner_id, message.fact) == (
        PROGRAM,
        5,
        7,
        0,
    )


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
    assert [(message.template, message.fact) for message in told] == [("mission_completed", 3)]


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


def test_numbers_are_written_as_the_language_does() -> None:
    english, indonesian = choose_words("en"), choose_words("id")
    assert (format_number(english, 1234567), format_number(indonesian, 1234567)) == ("1,234,567", "1.234.567")
    assert format_amount(english, 1, "POINT") == "1 point"
    assert format_amount(indonesian, -1234, "POINT") == "-1.234 poin"
    assert format_amount(indonesian, 123450, "IDR") == "IDR 1.234,50"
    assert format_amount(english, -5, "USD") == "USD -0.05"
    assert format_amount(english, 1234, "JPY") == "JPY 1,234"
    assert format_amount(english, 1234, "KWD") == "KWD 1.234"


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
