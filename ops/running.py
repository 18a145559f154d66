"""How a command's coroutine is run: on uvloop, with logs on stderr, until it ends or is told to stop.

SIGINT and SIGTERM cancel it, so that `finally` and `async with` do their work: the embedded servers are stopped. What
wants to end in its own order, as `serve` does, takes the signals for itself.
"""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import uvloop

from base.settings import Settings
from ops.errors import OperatorError
from ops.logs import log_to_stderr

Result = TypeVar("Result")

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


def run(work: Coroutine[Any, Any, Result], settings: Settings) -> Result:
    """Run `work` to its end and answer its result; KeyboardInterrupt where a signal ended it."""
    log_to_stderr(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_until_signalled(work))


async def _until_signalled(work: Coroutine[Any, Any, Result]) -> Result:
    """Cancel `work` at the first signal."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in STOPPING:
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def all_or_none(*parts: Coroutine[Any, Any, None]) -> None:
    """Run parts that belong together: when one fails the others are cancelled, and its error is the error."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)
    except ExceptionGroup as errors:
        found = list(errors.exceptions)
        raise next((error for error in found if isinstance(error, OperatorError)), found[0]) from None
