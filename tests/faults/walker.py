"""A process that plays rounds in children of its own, as many as it is asked to; it imports only once.

    python -m tests.faults.walker DATABASE_URL REDIS_URL

A line on its input, `PROGRAM FIRST LAST [FAILPOINTS]`, plays the rounds from FIRST to before LAST in a new process. It
writes `round N` after each, and `ended STATUS` when that process is gone.
"""

import asyncio
import os
import sys
import traceback

import base.database
import base.feed
import base.redis
from base import failpoints
from tests.faults.rounds import Player
from tests.servers import ROLE


async def play(urls: tuple[str, str], program_id: int, first: int, last: int) -> None:
    """The rounds, in this process."""
    await base.database.connect(urls[0], role=ROLE, max_size=3)
    await base.redis.connect(urls[1])
    await base.feed.connect(urls[1])
    player = Player(program_id, first=first)
    for number in range(first, last):
        await player.play(number)
        say(f"round {number}")
    await player.finish()
    await base.feed.close()
    await base.redis.close()
    await base.database.close()


def say(line: str) -> None:
    """Tell who asked."""
    os.write(1, f"{line}\n".encode())


def main(urls: tuple[str, str]) -> None:
    """Serve until the input ends."""
    for request in sys.stdin:
        program_id, first, last, *faults = request.split()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                failpoints.arm(",".join(faults))
                asyncio.run(play(urls, int(program_id), int(first), int(last)))
                status = 0
            except BaseException:
                traceback.print_exc()
            os._exit(status)
        say(f"ended {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}")


if __name__ == "__main__":
    main((sys.argv[1], sys.argv[2]))
