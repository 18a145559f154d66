"""What the program owes, as finance reads it, and as a file."""

from datetime import date

import pytest

from api.roles import Role
from loyalty.ledger.configuring import set_unit
from loyalty.ledger.expiry import Expiry
from loyalty.ledger.units import Unit
from tests.api.door import open_api
from tests.api.test_statements import download, read
from tests.ledger import give

pytestmark = pytest.mark.usefixtures("database", "redis")

LIABILITY = """
    query ($unit: String! = "POINT") {
        liability(unit: $unit) {
            unit asOf timeZone available pending held total debt csvUrl
            months { month available pending held total }
        }
    }
"""


async def test_finance_reads_what_is_owed() -> None:
    api = await open_api()
    await give(api.world, "shop", 100)
    await give(api.world, "elsewhere", 40, expiry=Expiry.with_day(date(2026, 12, 31)))
    found = (await api.ask("FINANCE", LIABILITY))["liability"]
    url = found.pop("csvUrl")
    assert found == {
        "unit": "POINT",
        "asOf": "2026-11-20T08:00:00+00:00",
        "timeZone": "UTC",
        "available": 140,
        "pending": 0,
        "held": 0,
        "total": 140,
        "debt": 0,
        "months": [
            {"month": "2026-12", "available": 40, "pending": 0, "held": 0, "total": 40},
            {"month": None, "available": 100, "pending": 0, "held": 0, "total": 100},
        ],
    }
    answer = await download(api, url, **{"accept-language": "id"})
    assert (answer.headers["content-language"], answer.headers["content-type"][:8]) == ("id", "text/csv")
    assert read(answer.content) == [
        ["Kedaluwarsa pada", "Tersedia", "Tertunda", "Ditahan", "Jumlah", "Satuan"],
        ["2026-12", "40", "0", "0", "40", "POINT"],
        ["Tidak pernah", "100", "0", "0", "100", "POINT"],
        ["Jumlah", "140", "0", "0", "140", "POINT"],
        ["Terutang", "", "", "", "0", "POINT"],
        ["Per 2026-11-20 08:00:00+00:00, UTC", "", "", "", "", ""],
    ]
    assert answer.headers["content-disposition"] == 'attachment; filename="liability-2026-11-20.csv"'


async def test_in_another_unit() -> None:
    api = await open_api()
    await set_unit(program_id=api.world.program_id, unit=Unit("USD", "Dollar", "USD", 2))
    await give(api.world, "shop", 1_250, unit="USD")
    found = (await api.ask("ADMIN", LIABILITY, {"unit": "USD"}))["liability"]
    assert (found["unit"], found["total"]) == ("USD", 1_250)
    assert read((await download(api, found["csvUrl"])).content)[1] == [
        "Never",
        "12.50",
        "0.00",
        "0.00",
        "12.50",
        "USD",
    ]
    error = await api.refusal("ADMIN", LIABILITY, {"unit": "EUR"})
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("UNKNOWN_UNIT", ["unit"])
    assert (await download(api, "/liability.csv?unit=EUR")).status_code == 400


@pytest.mark.parametrize("role", Role)
async def test_the_file_is_for_finance_and_admins(role: Role) -> None:
    api = await open_api()
    answer = await download(api, "/liability.csv", role)
    assert answer.status_code == (200 if role in (Role.FINANCE, Role.ADMIN) else 403)
