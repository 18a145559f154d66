"""One API process of `mitra serve --workers N`: `python -m ops.api_process FD`, on a socket that its parent bound.

Its standard input is a pipe from the parent; when that closes the parent is gone, and so must we be.
"""

import asyncio
import signal
import socket
import sys

import uvloop

from api.app import create_app
from base.settings import Settings
from ops.listening import serve_app
from ops.logs import log_to_stderr
from ops.migrate import pending
from ops.running import STOPPING


async def main(descriptor: int) -> None:
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
    with socket.socket(fileno=descriptor) as listener:
        listener.setblocking(False)
        await serve_app(create_app(settings, pending=lambda: pending(url)), listener, stop)


if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # until the loop takes it: a Ctrl-C is the parent's to handle
    uvloop.run(main(int(sys.argv[1])))
