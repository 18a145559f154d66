"""Run a soak, and print what it did: python -m tests.soak [--seconds 900] [--seed N]

With --each there is no chance in it: each fault is met once, shortly and under load, and all is looked over after it.
"""

import argparse
import asyncio
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx2

from tests.soak.faults import FAULTS, Fault
from tests.soak.site import Site
from tests.soak.town import Town, found_town
from tests.soak.verify import find_faults

READY_SECONDS: Final = 120.0
BETWEEN: Final = (1.0, 7.0)
"""Seconds between two faults."""
SUMMARY_SECONDS: Final = 30.0


class Report:
    """Lines with their time, counted from the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, line: str) -> None:
        spent = int(time.monotonic() - self._started)
        sys.stdout.write(f"{spent // 60:3}:{spent % 60:02}  {line}\n")
        sys.stdout.flush()


async def soak(folder: Path, *, seconds: float, seed: int, say: Report) -> list[str]:
    """Break it for so long; what was found to be wrong."""
    dice = random.Random(seed)
    with Site(folder).open() as site:
        await site.migrate()
        town = await found_town(site)
        site.start_processes()
        async with Beside(site.keep(say)):
            await wait_ready(site)
            say(f"{len(site.apis)} API processes and {len(site.workers)} workers serve")
            async with town.recording(seed=seed), Beside(summarize(town, say)):
                await break_things(site, town, dice, say, seconds)
            say("no more faults; the clients are done")
            found = await find_faults(site, town.program_id, town.tally.accepted)
        tell(town, say)
        found += [f"a client complains: {one}" for one in dict.fromkeys(town.tally.complaints)]
        return found + site.faults


async def meet_each(folder: Path, *, say: Report) -> list[str]:
    """Each fault by itself; what was found to be wrong, by fault."""
    found = []
    with Site(folder, apis=1, workers=1).open() as site:
        await site.migrate()
        town = await found_town(site)
        site.start_processes()
        async with Beside(site.keep(say)):
            await wait_ready(site)
            for fault in FAULTS:
                if fault.is_alone:
                    wrong = await _meet(town, fault, say)
                    found += [f"{fault.name}: {one}" for one in wrong]
                    say(f"MET {fault.name}: {'; '.join(wrong) or 'nothing lost, nothing twice'}")
    return found


async def _meet(town: Town, fault: Fault, say: Report) -> list[str]:
    """Meet one fault under load, and go on until something is recorded after it."""
    async with town.recording(clients=2):
        await _recorded_again(town)
        await _break(town.site, fault, Shortest(), say)
        await _recorded_again(town)
    wrong = await find_faults(town.site, town.program_id, town.tally.accepted)
    wrong += [f"a client complains: {one}" for one in dict.fromkeys(town.tally.complaints)] + town.site.faults
    town.tally.complaints.clear()
    town.site.faults.clear()
    return wrong


class Shortest(random.Random):
    """Dice that choose the shortest time."""

    def uniform(self, a: float, b: float) -> float:
        return a


class Beside:
    """Runs something beside a block, and ends it with the block."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._work)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def wait_ready(site: Site) -> None:
    """Until every API process can do its work."""
    async with httpx2.AsyncClient() as http, asyncio.timeout(READY_SECONDS):
        for api in site.apis:
            while not await _is_ready(http, f"http://127.0.0.1:{api.port}/readyz"):  # noqa: ASYNC110  # a process
                await asyncio.sleep(0.1)


async def _is_ready(http: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == 200
    except httpx2.TransportError:
        return False


async def break_things(site: Site, town: Town, dice: random.Random, say: Report, seconds: float) -> None:
    """One fault after the other, every so often two at once."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(dice.uniform(*BETWEEN))
        first, second = dice.choices(FAULTS, [fault.weight for fault in FAULTS], k=2)
        chosen = [first, second] if dice.random() < 0.15 and first is not second else [first]
        if {fault.name.split()[0] for fault in chosen} in ({"PostgreSQL"}, {"Redis"}):
            chosen = chosen[:1]  # a server is broken in one way at a time
        await asyncio.gather(*(_break(site, fault, dice, say) for fault in chosen))
        say(f"    recorded again after {await _recorded_again(town):.1f} s")


async def _recorded_again(town: Town) -> float:
    """Wait until one more batch is recorded; after how many seconds that was."""
    started, before = time.monotonic(), town.tally.answers["recorded"]
    async with asyncio.timeout(READY_SECONDS):
        while town.tally.answers["recorded"] == before:  # noqa: ASYNC110  # other processes do it
            await asyncio.sleep(0.02)
    return time.monotonic() - started


async def _break(site: Site, fault: Fault, dice: random.Random, say: Report) -> None:
    say(f"{fault.name} …")
    try:
        told = await fault.work(site, dice)
    except Exception as error:  # a fault upon a fault: what was to be broken is broken already
        told = f"not so: {error!r}"
        await site.revive()
    if told:
        say(f"    {fault.name}: {told}")


async def summarize(town: Town, say: Report) -> None:
    """A line every so often."""
    while True:
        await asyncio.sleep(SUMMARY_SECONDS)
        tell(town, say)


def tell(town: Town, say: Report) -> None:
    """What has been recorded so far, and what clients were told."""
    tally = town.tally
    answers = ", ".join(f"{times:,} × {what}" for what, times in sorted(tally.answers.items()))
    deaths = sum(process.deaths for process in town.site.processes)
    say(
        f"== {len(tally.accepted):,} activities; {answers}; slowest answer {tally.longest:.1f} s; "
        f"{deaths} processes started again; {len(tally.complaints)} complaints"
    )


def main() -> int:
    """Exit status 1 where anything was lost, doubled or answered otherwise than it should be."""
    parser = argparse.ArgumentParser(prog="soak", description="Break a real installation under load.")
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument(
        "--seed", type=int, default=None, help="the same faults again (their moments will differ)"
    )
    parser.add_argument("--each", action="store_true", help="each fault once, shortly")
    given = parser.parse_args()
    seed = secrets.randbelow(10**6) if given.seed is None else given.seed
    say = Report()
    say("each fault once" if given.each else f"soak of {given.seconds:.0f} s, seed {seed}")
    with tempfile.TemporaryDirectory(prefix="mitra-soak-", ignore_cleanup_errors=True) as folder:
        found = ["it did not come to its end"]
        try:
            if given.each:
                found = asyncio.run(meet_each(Path(folder), say=say))
            else:
                found = asyncio.run(soak(Path(folder), seconds=given.seconds, seed=seed, say=say))
        finally:
            if found:
                kept = tempfile.mkdtemp(prefix="mitra-soak-logs-")
                shutil.copytree(folder, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("servers*"))
                say(f"the logs are kept in {kept}")
    for line in found:
        say(f"WRONG: {line}")
    say(
        "something is wrong"
        if found
        else "nothing lost, nothing twice, the audit is clean, the boards equal a rebuild"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
