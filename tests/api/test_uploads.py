"""A file that is sent beside GraphQL: in pieces, broken off and gone on with; and what came of it."""

import asyncio
import hashlib
import os
import re
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from pydantic import SecretStr

from api.app import create_app
from api.ids import global_id
from api.roles import Role
from base.database import reading, transaction
from base.settings import Settings
from imports.job import ImportJob
from ops.listening import listen, serve_app
from tests.api.door import DEVELOPMENT, KEY, Answer, Api, open_api
from tests.services.imports.taking import HEADER, MAPPING, rows

pytestmark = pytest.mark.usefixtures("database", "redis")

PAGE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "import-files.md"
FENCE: Final = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GIVEN = {"kind": "SALES", "fileName": "sales.csv", "mapping": MAPPING}
SHOWN = """
    id kind state standing fileName size received progress rowsRead rowsRecorded rowsDuplicate rowsRefused
    refusedByReason { code count } activities startedAt finishedAt error refusedUrl uploadUrl
    refusals(first: 2) { edges { cursor node { line firstLine code message column cells } } pageInfo { hasNextPage } }
"""
IMPORT = f"query ($id: ID!) {{ import(id: $id) {{ {SHOWN} }} }}"
LIST = """
    query ($after: String, $states: [ImportState!]) {
        imports(first: 2, after: $after, states: $states) {
            edges { node { id state } } pageInfo { hasNextPage endCursor }
        }
    }
"""
FILE = rows(*(f"d{number},shop,2026-11-01,tea,1,{number % 50 + 1}" for number in range(400))).encode()


@pytest.fixture(autouse=True)
async def _no_jobs_are_left() -> AsyncIterator[None]:
    """Whoever runs a worker on this database later has nothing to do."""
    yield
    async with transaction() as connection:
        await connection.execute("DELETE FROM pgqueuer WHERE entrypoint = 'import'")


def announced(content: bytes, **more: Any) -> dict[str, Any]:
    return {**GIVEN, "size": len(content), "digest": hashlib.sha256(content).hexdigest(), **more}


async def create(api: Api, given: dict[str, Any], role: str = "INTEGRATION") -> Answer:
    """The import that is announced, or why not."""
    answer = await api.change(role, "importCreate", given, f"import {{ {SHOWN} }}")
    made: Answer = answer.get("import", answer)
    return made


async def show(api: Api, id_: str, role: str = "ADMIN") -> Answer:
    shown: Answer = (await api.ask(role, IMPORT, {"id": id_}))["import"]
    return shown


async def send(
    api: Api,
    url: str,
    content: Any,
    *,
    at: int | None = None,
    of: int | None = None,
    role: str = "INTEGRATION",
) -> httpx2.Response:
    headers = {"authorization": f"Bearer {api.token(role)}"}
    if at is not None:
        headers["content-range"] = f"bytes {at}-{at + len(content) - 1}/{'*' if of is None else of}"
    return await api.client.put(url, content=content, headers=headers)


async def ask(api: Api, url: str, role: str = "INTEGRATION") -> httpx2.Response:
    return await api.client.head(url, headers={"authorization": f"Bearer {api.token(role)}"})


async def work_off(api: Api) -> None:
    """Do what a worker would do with this program's imports."""
    async with reading() as connection:
        payloads = await connection.fetch(
            "DELETE FROM pgqueuer WHERE entrypoint = 'import' AND convert_from(payload, 'UTF8') LIKE $1"
            " RETURNING payload",
            f"{api.world.program_id}/%",
        )
    for row in payloads:
        await ImportJob(api.world.clock).work(row["payload"], asyncio.Event())


async def queued(api: Api) -> int:
    async with reading() as connection:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM pgqueuer WHERE convert_from(payload, 'UTF8') LIKE $1",
            f"{api.world.program_id}/%",
        )
    return found


async def stored(api: Api) -> bytes:
    """What is here of the program's files."""
    pieces = await api.world.rows("SELECT content FROM import_piece WHERE program_id = $1 ORDER BY start")
    return b"".join(piece["content"] for piece in pieces)


# --------------------------------------------------------------------------------------------------- from start to end


async def test_a_file_is_announced_sent_taken_in_and_told_of() -> None:
    api = await open_api()
    content = rows(
        "d1,shop,2026-11-01,tea,1,10", "d2,nobody,2026-11-01,tea,1,10", "d3,shop,2026-11-01,tea,x,10"
    ).encode()
    one = await create(api, announced(content))
    assert (one["state"], one["received"], one["progress"]) == ("UPLOADING", 0, 0)
    assert one["standing"] == "UPLOADING"
    assert one["uploadUrl"] == f"/imports/{one['id']}/file"
    answer = await send(api, one["uploadUrl"], content)
    assert answer.status_code == 200
    assert answer.json() == {"state": "QUEUED", "received": len(content), "size": len(content)}
    assert (await show(api, one["id"]))["uploadUrl"] is None
    await work_off(api)
    done = await show(api, one["id"], "INTEGRATION")
    assert (done["state"], done["standing"]) == ("DONE", "DONE")
    assert (done["progress"], done["received"], done["size"]) == (1, len(content), len(content))
    assert (done["rowsRead"], done["rowsRecorded"], done["rowsRefused"], done["activities"]) == (3, 1, 2, 1)
    assert {reason["code"]: reason["count"] for reason in done["refusedByReason"]} == {
        "UNKNOWN_PARTNER": 1,
        "INVALID_QUANTITY": 1,
    }
    first, second = (edge["node"] for edge in done["refusals"]["edges"])
    assert (first["line"], first["code"]) == (3, "UNKNOWN_PARTNER")
    assert (second["line"], second["column"], second["cells"][4]) == (4, "qty", "x")
    assert await stored(api) == b"", "the file is dropped"
    refused = await api.client.get(
        done["refusedUrl"], headers={"authorization": f"Bearer {api.token('FINANCE')}"}
    )
    lines = refused.content.decode("utf-8-sig").splitlines()
    assert lines[0] == f"mitra_line,mitra_reason,mitra_message,{HEADER}"
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["3", "UNKNOWN_PARTNER"],
        ["4", "INVALID_QUANTITY"],
    ]


async def test_the_same_file_goes_on_and_once_done_records_nothing_twice() -> None:
    api = await open_api()
    one = await create(api, announced(FILE))
    await send(api, one["uploadUrl"], FILE[:1_000])
    again = await create(api, announced(FILE))
    assert (again["id"], again["received"]) == (one["id"], 1_000)
    assert (await create(api, announced(FILE, history=True)))["id"] != one["id"]
    await send(api, one["uploadUrl"], FILE[1_000:], at=1_000)
    assert (await create(api, announced(FILE)))["state"] == "QUEUED"
    await work_off(api)
    anew = await create(api, announced(FILE))
    assert anew["id"] != one["id"]
    await send(api, anew["uploadUrl"], FILE)
    await work_off(api)
    done = await show(api, anew["id"])
    assert (done["state"], done["rowsDuplicate"], done["rowsRecorded"]) == ("DONE", 400, 0)


async def test_without_a_digest_each_announcement_is_a_file_of_its_own() -> None:
    api = await open_api()
    given = announced(FILE) | {"digest": None}
    one, other = await create(api, given), await create(api, given)
    assert one["id"] != other["id"]
    assert (await send(api, one["uploadUrl"], FILE)).json()["state"] == "QUEUED"


# ------------------------------------------------------------------------------------------------------------- pieces


@pytest.mark.parametrize("cuts", [(), (1,), (0, 5_000), (3, 4, 5, 9_000)])
async def test_any_pieces_make_the_file(cuts: tuple[int, ...]) -> None:
    api = await open_api()
    one = await create(api, announced(FILE))
    ends = [*cuts, len(FILE)]
    for start, end in zip([0, *cuts], ends, strict=True):
        if start < end:
            answer = await send(api, one["uploadUrl"], FILE[start:end], at=start, of=len(FILE))
            assert answer.json()["received"] == end == int(answer.headers["upload-offset"])
    assert await stored(api) == FILE
    assert (await show(api, one["id"]))["state"] == "QUEUED"


async def test_pieces_that_repeat_or_overlap_add_what_is_new() -> None:
    api = await open_api()
    url = (await create(api, announced(FILE)))["uploadUrl"]
    for start, end in ((0, 100), (0, 100), (50, 150), (10, 20), (0, 300), (150, 4_000)):
        assert (await send(api, url, FILE[start:end], at=start)).status_code == 200
    asked = await ask(api, url)
    assert (asked.status_code, asked.content) == (200, b"")
    assert (asked.headers["upload-offset"], asked.headers["upload-length"]) == ("4000", str(len(FILE)))
    assert (await send(api, url, FILE)).json()["state"] == "QUEUED"
    assert await stored(api) == FILE
    assert (await send(api, url, FILE)).json()["state"] == "QUEUED", "and once more"
    assert await queued(api) == 1


async def test_other_bytes_than_are_here_are_refused_where_no_digest_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("imports.uploads.PIECE", 64)
    api = await open_api()
    url = (await create(api, announced(FILE, digest=None)))["uploadUrl"]
    for start, end in ((0, 10), (10, 100), (100, 300)):
        assert (await send(api, url, FILE[start:end], at=start)).status_code == 200
    other = bytearray(FILE)
    other[250] ^= 1
    for start, end in ((250, 251), (0, 300), (60, 280), (240, len(FILE)), (0, len(FILE))):
        answer = await send(api, url, bytes(other[start:end]), at=start)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (409, "OTHER_BYTES")
        assert await stored(api) == FILE[:300]
    assert (await send(api, url, FILE[30:290], at=30)).status_code == 200
    assert (await send(api, url, FILE)).json()["state"] == "QUEUED"
    assert (await send(api, url, FILE[40:], at=40)).json()["state"] == "QUEUED", "and once more"
    assert (await send(api, url, bytes(other))).json()["errors"][0]["extensions"]["code"] == "OTHER_BYTES"
    assert await stored(api) == FILE
    assert await queued(api) == 1


@pytest.mark.parametrize(
    ("said", "code"), [(1_000, "WRONG_LENGTH"), (3_000, "WRONG_LENGTH"), (2**40, "UPLOAD_TOO_LONG")]
)
@pytest.mark.parametrize("begun", [0, 500])
async def test_a_body_that_is_not_as_long_as_its_range_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, said: int, code: str, begun: int
) -> None:
    monkeypatch.setattr("imports.uploads.PIECE", 64)
    api = await open_api()
    url = (await create(api, announced(FILE)))["uploadUrl"]
    if begun:
        await send(api, url, FILE[:begun], at=0)

    async def unannounced() -> AsyncIterator[bytes]:
        for start in range(0, 2_000, 250):
            yield FILE[start : start + 250]

    headers = {"authorization": f"Bearer {api.token('ADMIN')}", "content-range": f"bytes 0-{said - 1}/*"}
    answer = await api.client.put(url, content=unannounced(), headers=headers)
    assert answer.json()["errors"][0]["extensions"]["code"] == code
    assert answer.status_code == (413 if code == "UPLOAD_TOO_LONG" else 400)
    assert await stored(api) == FILE[:begun]
    assert (await ask(api, url)).headers["upload-offset"] == str(begun)
    headers["content-range"] = "bytes 0-1999/*"
    assert (await api.client.put(url, content=unannounced(), headers=headers)).status_code == 200
    assert await stored(api) == FILE[:2_000]


async def test_more_than_was_announced_leaves_nothing_however_much_of_it_had_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("imports.uploads.PIECE", 64)
    api = await open_api()
    url = (await create(api, announced(FILE[:1_000])))["uploadUrl"]

    async def unannounced() -> AsyncIterator[bytes]:
        for start in range(0, 2_000, 250):
            yield FILE[start : start + 250]

    headers = {"authorization": f"Bearer {api.token('ADMIN')}"}
    answer = await api.client.put(url, content=unannounced(), headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (413, "UPLOAD_TOO_LONG")
    assert await stored(api) == b""


async def test_a_gap_is_refused_with_where_to_go_on() -> None:
    api = await open_api()
    url = (await create(api, announced(FILE)))["uploadUrl"]
    await send(api, url, FILE[:10])
    answer = await send(api, url, FILE[11:], at=11)
    assert (answer.status_code, answer.headers["upload-offset"]) == (409, "10")
    assert answer.json()["errors"][0]["extensions"] == {"code": "UPLOAD_GAP", "received": 10}
    assert await stored(api) == FILE[:10]


async def test_the_same_sent_twice_at_once_is_here_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imports.uploads.PIECE", 64)
    api = await open_api()
    url = (await create(api, announced(FILE)))["uploadUrl"]
    answers = await asyncio.gather(*(send(api, url, FILE) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {200}
    assert await stored(api) == FILE
    assert await queued(api) == 1


async def test_what_came_before_a_break_is_kept() -> None:
    api = await open_api()
    url = (await create(api, announced(FILE)))["uploadUrl"]

    async def breaking() -> AsyncIterator[bytes]:
        yield FILE[:700]
        raise ConnectionResetError

    await send(api, url, breaking())  # what it answers, nobody is there to read
    assert (await ask(api, url)).headers["upload-offset"] == "700"
    assert (await send(api, url, FILE)).json()["state"] == "QUEUED"


async def test_no_more_is_taken_than_was_announced() -> None:
    api = await open_api()
    given = announced(FILE[:-10])
    url = (await create(api, given))["uploadUrl"]
    assert (await send(api, url, FILE)).json()["errors"][0]["extensions"]["code"] == "UPLOAD_TOO_LONG"

    async def unannounced() -> AsyncIterator[bytes]:
        yield FILE[:100]
        yield FILE[100:]

    answer = await send(api, url, unannounced())
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (413, "UPLOAD_TOO_LONG")
    assert await stored(api) == b""
    assert (await send(api, url, FILE[:-10])).json()["state"] == "QUEUED"


async def test_a_file_that_is_not_the_one_announced_is_sent_anew() -> None:
    api = await open_api()
    one = await create(api, announced(FILE))
    answer = await send(api, one["uploadUrl"], FILE[:-1] + b"x")
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (422, "WRONG_DIGEST")
    assert ((await show(api, one["id"]))["state"], await stored(api), await queued(api)) == (
        "UPLOADING",
        b"",
        0,
    )
    assert (await send(api, one["uploadUrl"], FILE)).json()["state"] == "QUEUED"


@pytest.mark.parametrize(
    "stated",
    ["bytes 5-4/10", "bytes 0-9/*", "items 0-3/10", "bytes 0-3/10", "bytes */10", "bytes -1-3/9", "0-3"],
)
async def test_a_range_that_cannot_be_is_refused(stated: str) -> None:
    api = await open_api()
    url = (await create(api, announced(FILE)))["uploadUrl"]
    headers = {"authorization": f"Bearer {api.token('ADMIN')}", "content-range": stated}
    answer = await api.client.put(url, content=FILE[:4], headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_RANGE")


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"size": 0}, "NOT_POSITIVE", ["size"]),
        ({"size": 2**40}, "FILE_TOO_LARGE", ["size"]),
        ({"fileName": " "}, "INVALID_NAME", ["fileName"]),
        ({"fileName": "a/b.csv"}, "INVALID_NAME", ["fileName"]),
        ({"digest": "abc"}, "INVALID_DIGEST", ["digest"]),
        ({"mapping": "source = 1"}, "INVALID_MAPPING", ["mapping", "source"]),
        ({"mapping": "["}, "INVALID_MAPPING", ["mapping"]),
    ],
)
async def test_what_cannot_be_taken_is_refused_before_it_is_sent(
    wrong: dict[str, Any], code: str, field: list[str]
) -> None:
    api = await open_api()
    answer = await create(api, announced(FILE, **wrong))
    assert (answer["code"], answer["field"]) == (code, field)
    assert (await api.ask("ADMIN", LIST))["imports"]["edges"] == []


async def test_a_program_announces_only_so_much_before_it_is_taken_in() -> None:
    few = DEVELOPMENT.model_copy(update={"max_unfinished_uploads": 2, "max_unfinished_bytes": 3 * len(FILE)})
    api, elsewhere = await open_api(settings=few), await open_api(settings=few)
    one = await create(api, announced(FILE))
    too_large = await create(api, announced(FILE, size=2 * len(FILE) + 1, digest=None))
    assert (too_large["code"], too_large["field"]) == ("TOO_MANY_UPLOADS", ["size"])
    await create(api, announced(FILE, digest=None))
    assert (await create(api, announced(FILE[:1])))["code"] == "TOO_MANY_UPLOADS"
    assert (await create(api, announced(FILE)))["id"] == one["id"], "what is announced can be gone on with"
    assert (await create(elsewhere, announced(FILE)))["state"] == "UPLOADING"
    await send(api, one["uploadUrl"], FILE)
    await work_off(api)
    assert (await create(api, announced(FILE)))["state"] == "UPLOADING"


# -------------------------------------------------------------------------------------------------------- who may what


@pytest.mark.parametrize("role", Role)
async def test_who_may_send_and_read_files(role: Role) -> None:
    api = await open_api()
    content = rows("d1,nobody,2026-11-01,tea,1,10").encode()
    one = await create(api, announced(content))
    may_send = role in (Role.INTEGRATION, Role.ADMIN)
    may_read = may_send or role in (Role.MARKETER, Role.FINANCE)
    for answer in (
        await ask(api, one["uploadUrl"], role),
        await send(api, one["uploadUrl"], content[:5], role=role),
    ):
        assert answer.status_code == (200 if may_send else 403)
    assert await stored(api) == (content[:5] if may_send else b"")
    await send(api, one["uploadUrl"], content)
    await work_off(api)
    headers = {"authorization": f"Bearer {api.token(role)}"}
    answer = await api.client.get(f"/imports/{one['id']}/refused.csv", headers=headers)
    assert answer.status_code == (200 if may_read else 403)
    if not may_read:
        assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_nobody_without_a_token() -> None:
    api = await open_api()
    one = await create(api, announced(FILE))
    for answer in (
        await api.client.put(one["uploadUrl"], content=FILE),
        await api.client.get(f"/imports/{one['id']}/refused.csv"),
        await api.client.put(one["uploadUrl"], content=FILE, headers={"authorization": "Bearer nonsense"}),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await stored(api) == b""


async def test_another_program_answers_like_an_import_that_does_not_exist() -> None:
    api, elsewhere = await open_api(), await open_api()
    theirs = await create(elsewhere, announced(FILE))
    none = global_id("Import", api.program, 2**40)
    for id_ in (theirs["id"], none, "nonsense", global_id("Partner", api.program, "shop")):
        assert await show(api, id_) is None
        for path in ("file", "refused.csv"):
            for method in ("PUT", "HEAD") if path == "file" else ("GET",):
                answer = await api.client.request(
                    method,
                    f"/imports/{id_}/{path}",
                    headers={"authorization": f"Bearer {api.token('ADMIN')}"},
                )
                assert answer.status_code == 404
        answered = await api.change("ADMIN", "importResume", {"id": id_}, "import { id }")
        assert (answered["code"], answered["field"]) == ("NOT_FOUND", ["id"])
    assert (await api.ask("ADMIN", LIST))["imports"]["edges"] == []
    assert (await create(api, announced(FILE)))["id"] != theirs["id"], "the same file is another one here"


async def test_the_list_is_in_pages_and_by_state() -> None:
    api = await open_api()
    made = [await create(api, announced(FILE, fileName=f"{n}.csv", digest=None)) for n in range(3)]
    await send(api, made[1]["uploadUrl"], FILE)
    page = (await api.ask("MARKETER", LIST))["imports"]
    assert [edge["node"]["id"] for edge in page["edges"]] == [made[2]["id"], made[1]["id"]]
    assert page["pageInfo"]["hasNextPage"]
    rest = (await api.ask("INTEGRATION", LIST, {"after": page["pageInfo"]["endCursor"]}))["imports"]
    assert [edge["node"]["id"] for edge in rest["edges"]] == [made[0]["id"]]
    waiting = (await api.ask("ADMIN", LIST, {"states": ["QUEUED", "DONE"]}))["imports"]
    assert [edge["node"]["state"] for edge in waiting["edges"]] == ["QUEUED"]


# ----------------------------------------------------------------------------------------------------- over a real line


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[int]:
    """The whole application on a port of its own."""
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        app = create_app(settings, connect=False)
        serving = asyncio.ensure_future(serve_app(app, listener, stop))
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            await serving


async def cut(port: int, api: Api, url: str, content: bytes, *, after: int) -> None:
    """Begin to send, and hang up after so many bytes."""
    head = (
        f"PUT {url} HTTP/1.1\r\nhost: mitra\r\nauthorization: Bearer {api.token('ADMIN')}\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode() + content[:after])
    await writer.drain()
    writer.close()
    await writer.wait_closed()


@pytest.fixture
def large() -> bytes:
    """Three pieces and something, and a good deal more than a body may have."""
    line = b"d,shop,2026-11-01,tea,1,10\n"
    return HEADER.encode() + b"\n" + line * (7 * 2**19 // len(line))


async def test_a_line_that_is_cut_loses_nothing_and_the_limit_on_bodies_does_not_hold(large: bytes) -> None:
    api = await open_api()
    url = (await create(api, announced(large)))["uploadUrl"]
    async with (
        served(Settings(secret_key=SecretStr(KEY), max_body_bytes=4_096)) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        headers = {"authorization": f"Bearer {api.token('ADMIN')}"}
        after = 2**20 + 12_345
        await cut(port, api, url, large, after=after)
        async with asyncio.timeout(20):
            while (
                received := int((await client.head(url, headers=headers)).headers["upload-offset"])
            ) < after:
                pass
        assert received == after, "what came of the broken piece is here too"
        rest = large[received:]
        stated = {"content-range": f"bytes {received}-{len(large) - 1}/{len(large)}"}
        answer = await client.put(url, content=rest, headers=headers | stated)
        assert answer.json() == {"state": "QUEUED", "received": len(large), "size": len(large)}
        refused = await client.post("/graphql", content=b"x" * 5_000, headers=headers)
        assert refused.status_code == 413
    pieces = await api.world.rows(
        "SELECT octet_length(content) AS size FROM import_piece WHERE program_id = $1 ORDER BY start"
    )
    assert max(row["size"] for row in pieces) <= 2**20
    assert await stored(api) == large


async def paste(port: int, url: str, token: str, file: Path) -> tuple[int | None, str, str]:
    """What bash makes of the lines of the documentation: exit status, stdout and stderr."""
    (block,) = (found for found in FENCE.findall(PAGE.read_text()) if "offset()" in found)
    settings, lines = block.split("\n", 1)
    assert settings.startswith("url=")
    given = {
        "url": f"http://127.0.0.1:{port}{url}",
        "auth": f"authorization: Bearer {token}",
        "file": str(file),
    }
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", lines, env=os.environ | given, stdout=PIPE, stderr=PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), errors.decode()


async def test_the_lines_of_the_documentation_go_on_where_a_line_broke_off(
    large: bytes, tmp_path: Path
) -> None:
    api = await open_api()
    one = await create(api, announced(large))
    file = tmp_path / "sales.csv"
    file.write_bytes(large)
    async with served(Settings(secret_key=SecretStr(KEY))) as port:
        await cut(port, api, one["uploadUrl"], large, after=1_500_000)
        status, out, errors = await paste(port, one["uploadUrl"], api.token("ADMIN"), file)
        assert (status, '"state":"QUEUED"' in out) == (0, True), errors
        assert await stored(api) == large
        assert await paste(port, one["uploadUrl"], api.token("ADMIN"), file) == (0, "", ""), "all is here"


async def test_the_lines_of_the_documentation_end_at_an_answer_that_will_not_change(tmp_path: Path) -> None:
    api = await open_api()
    url = (await create(api, announced(FILE)))["uploadUrl"]
    file = tmp_path / "sales.csv"
    async with served(Settings(secret_key=SecretStr(KEY))) as port:
        for content, path, token, told in (
            (FILE, url, "no token", "401"),
            (FILE, url.replace("/file", "0/file"), api.token("ADMIN"), "404"),
            (FILE + b"more", url, api.token("ADMIN"), "413"),
            (FILE[:-1] + b"?", url, api.token("ADMIN"), "422"),
        ):
            file.write_bytes(content)
            status, out, _ = await paste(port, path, token, file)
            assert (status, out.split()[-1]) == (1, told)
