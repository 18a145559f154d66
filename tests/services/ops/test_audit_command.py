"""`mitra audit`: a row of each check, and exit status 1 where an invariant is broken, 0 where all hold."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import asyncpg
import pytest

from base.database import reading
from tests.command import ROOT, Mitra
from tests.world import make_world, sale

pytestmark = pytest.mark.usefixtures("database", "redis")

CORRUPT = "UPDATE wallet SET available = available + 1 WHERE program_id = $1"


def run_in_terminal(*arguments: str, **environment: str) -> str:
    """What the command writes to a terminal of 80 columns and 40 rows."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "ops", *arguments],
        cwd=ROOT,
        env={**kept, "TERM": "xterm", **environment},
        stdin=subprocess.DEVNULL,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    written = b""
    try:
        while part := os.read(ours, 65_536):
            written += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0, written.decode()
    return written.decode()


async def test_a_broken_book_ends_it_with_1_and_names_the_place(
    mitra: Mitra, database_url: str, redis_url: str
) -> None:
    world = await make_world(("shop",))
    await world.earn(amount=1)
    await world.accept(sale("x1", "shop"))
    async with reading() as connection:
        key = await connection.fetchval("SELECT key FROM program WHERE id = $1", world.program_id)
    urls = {"MITRA_DATABASE_URL": database_url, "MITRA_REDIS_URL": redis_url}

    sentence = "each bucket of a wallet is the sum of its entries"
    sound = await asyncio.to_thread(mitra.run, "audit", "--replay", "--program", key, **urls)
    assert (sound.returncode, sound.stderr) == (0, "")
    assert re.match(r"All \d+ invariants hold", sound.stdout.splitlines()[-1])
    assert sentence not in " ".join(sound.stdout.split()), "said only where it is broken"

    for columns, width in ({}, 80), ({"COLUMNS": "60"}, 60):
        shown = await asyncio.to_thread(
            run_in_terminal,
            "audit",
            "--replay",
            "--program",
            key,
            **columns,
            **urls,
            MITRA_DATA_DIR=str(mitra.data_dir),
        )
        lines = [re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", shown)]
        assert max(map(len, lines)) <= width
        assert any(re.search(r"check 1 of \d+: keys …", line) for line in lines), (
            "the check that is made is named"
        )
        assert "replayed" in "".join(lines)
    narrow = await asyncio.to_thread(mitra.run, "audit", "--verbose", "--program", key, **urls, COLUMNS="60")
    assert max(map(len, narrow.stdout.splitlines())) <= 60, "in a pipe, too"
    assert sentence in " ".join(narrow.stdout.split())

    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute(CORRUPT, world.program_id)
    finally:
        await owner.close()
    broken = await asyncio.to_thread(mitra.run, "audit", "--program", key, **urls)
    assert broken.returncode == 1
    assert re.search(rf"^buckets .* broken: 1\n +{sentence}", broken.stdout, re.MULTILINE)
    assert re.search(r"^ +- partner \d+ POINT$", broken.stdout, re.MULTILINE), "the offender is named"
    assert "invariants are broken" in broken.stdout
