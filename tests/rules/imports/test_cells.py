"""Cells as ids, names, exact numbers and instants."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports.cells import clean_name, clean_text, parse_decimal, parse_instant
from imports.mapping import Cleaner, DateFormat

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**15), max_value=10**15)
NOTATIONS = st.sampled_from(
    [(".", ""), (",", ""), (".", ","), (",", "."), (",", " "), (".", "'"), (".", "’"), (",", "_")]
)


@given(number=NUMBERS, notation=NOTATIONS, sign=st.sampled_from(["-{}", "{}-", "({})", " −{} "]))
def test_any_number_in_any_notation_is_read_exactly(
    number: Decimal, notation: tuple[str, str], sign: str
) -> None:
    decimal, thousands = notation
    text = f"{abs(number):,f}".replace(",", "T").replace(".", decimal).replace("T", thousands)
    assert parse_decimal(sign.format(text) if number < 0 else text, decimal, thousands) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (".5", "0.5"),
        ("5.", "5"),
        ("+5", "5"),
        ("007", "7"),
        ("1E+2", "100"),
        ("1.25e-3", "0.00125"),
        ("-0", "0"),
    ],
)
def test_other_ways_to_write_a_number(text: str, number: str) -> None:
    assert parse_decimal(text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-", ".", "()", "x", "1.2.3", "--5", "(-5)", "-5-", "(5", "5)", "1 2", "1,5", "$5", "5 pcs", "nan",
        "inf", "E5", "1e999", "0x1F", "٣", "1_000", "9" * 65,
    ],
)  # fmt: skip
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError):
        parse_decimal(text)


@pytest.mark.parametrize("text", ["1,23", "12,34", "1,2345", ",123", "1,234,5", "1234,567", "0,5"])
def test_thousands_stand_in_groups_of_three(text: str) -> None:
    with pytest.raises(ValueError):
        parse_decimal(text, ".", ",")


@pytest.mark.parametrize("space", [" ", "\xa0", "\u202f", "\u2009"])
def test_spaces_between_thousands(space: str) -> None:
    assert parse_decimal(f"1{space}234{space}567,5", ",", " ") == Decimal("1234567.5")


@pytest.mark.parametrize(
    ("cleaners", "text", "cleaned"),
    [
        ([], "  a  b ", "a  b"),
        ([Cleaner.UPPER], "85123a", "85123A"),
        ([Cleaner.LOWER], "Ab", "ab"),
        ([Cleaner.INTEGER], "17850.0", "17850"),
        ([Cleaner.INTEGER], "17850.", "17850"),
        ([Cleaner.INTEGER], "-3.00", "-3"),
        ([Cleaner.INTEGER], "17850.5", "17850.5"),
        ([Cleaner.INTEGER], "A.0", "A.0"),
        ([Cleaner.DIGITS], "0812-3456", "08123456"),
        ([Cleaner.DIGITS, Cleaner.UNPAD], "No. 0012", "12"),
        ([Cleaner.UNPAD], "000", "0"),
        ([Cleaner.UNPAD], "", ""),
        ([Cleaner.COLLAPSE], "a \t b\xa0c", "a b c"),
    ],
)
def test_cleaners(cleaners: list[Cleaner], text: str, cleaned: str) -> None:
    assert clean_text(text, cleaners) == cleaned


def test_an_integer_in_the_files_own_notation() -> None:
    assert clean_text("17850,0", [Cleaner.INTEGER], decimal=",") == "17850"
    assert clean_text("1.000", [Cleaner.INTEGER], decimal=",") == "1.000"


def test_names_come_in_one_line() -> None:
    assert clean_name(" a\r\n b\x92c\u200bd ") == "a b c d"


LONDON = DateFormat(time_zone="Europe/London")
BERLIN = DateFormat("%d.%m.%Y %H:%M", "Europe/Berlin")


@pytest.mark.parametrize(
    ("dates", "date_text", "time_text", "instant"),
    [
        (LONDON, "2011-06-01 08:26:00", "", "2011-06-01 07:26"),
        (LONDON, " 2011-06-01T08:26 ", "", "2011-06-01 07:26"),
        (LONDON, "2011-06-01", "", "2011-06-01 11:00"),
        (LONDON, "2011-06-01", "08:26", "2011-06-01 07:26"),
        (LONDON, "2011-06-01 00:00:00", "08:26:00", "2011-06-01 07:26"),
        (LONDON, "2011-06-01T08:26:00+02:00", "", "2011-06-01 06:26"),
        (LONDON, "2011-06-01T08:26:00Z", "", "2011-06-01 08:26"),
        (BERLIN, "01.06.2011 08:26", "", "2011-06-01 06:26"),
        (BERLIN, "01.06.2011", "08:26", "2011-06-01 06:26"),
        (BERLIN, "30.10.2011 02:30", "", "2011-10-30 00:30"),  # twice that night: the first
        (BERLIN, "27.03.2011 02:30", "", "2011-03-27 01:30"),  # not at all that night: 3:30
        (DateFormat("%m/%d/%y", "Asia/Jakarta"), "12/09/11", "", "2011-12-09 05:00"),
        (DateFormat("%d %b %Y %I:%M %p"), "09 Dec 2011 12:50 PM", "", "2011-12-09 12:50"),
        (DateFormat("%Y-%m-%d %H:%M%z", "Asia/Jakarta"), "2011-12-09 12:50+0100", "", "2011-12-09 11:50"),
    ],
)
def test_instants(dates: DateFormat, date_text: str, time_text: str, instant: str) -> None:
    found = parse_instant(date_text, time_text, dates)
    assert found == datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("dates", "date_text", "time_text"),
    [
        (LONDON, "", ""),
        (LONDON, "today", ""),
        (LONDON, "2011-02-29", ""),
        (LONDON, "01.06.2011", ""),
        (LONDON, "2011-06-01 08:26", "09:00"),
        (LONDON, "9999-12-31T23:59:00-05:00", ""),
        (LONDON, "2" * 100, ""),
        (BERLIN, "01.06.2011", ""),
        (BERLIN, "31.06.2011 08:00", ""),
    ],
)
def test_what_is_no_instant(dates: DateFormat, date_text: str, time_text: str) -> None:
    with pytest.raises(ValueError):
        parse_instant(date_text, time_text, dates)
