"""One API process of `mitra serve --workers N`: `python -m ops.api_process NAME FD [FD]`.

The sockets are bound by its parent: one to answer on, one for its metrics.

Its standard input is a pipe from the parent; when that closes the parent is gone, and so must we be.
"""

import asyncio
import signal
import socket
import sys
from contextlib import ExitStack

import uvloop

from api.app import create_app
from base.settings import Settings
from ops.listening import serve_app
from ops.logs import log_to_stderr
from ops.migrate import pending
from ops.running import STOPPING, all_or_none
from ops.watch.endpoint import serve_page
from ops.watch.page import Page


async def main(name: str, *descriptors: int) -> None:
    """Serve until the parent says stop, or is gone."""
    settings = Settings()
    log_to_stderr(settings)
    assert settings.database_url is not None
    url = settings.database_url
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPPING:
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin, stop.set)
    with ExitStack() as stack:
        listener, *metrics = (stack.enter_context(socket.socket(fileno=one)) for one in descriptors)
        for one in (listener, *metrics):
            one.setblocking(False)
        app = create_app(settings, pending=lambda: pending(url))
        await all_or_none(
            serve_app(app, listener, stop), *(serve_page(Page(name), one, stop) for one in metrics)
        )


if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # until the loop takes it: a Ctrl-C is the parent's to handle
    uvloop.run(main(sys.argv[1], *map(int, sys.argv[2:])))
