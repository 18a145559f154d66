"""How lines of the log look: JSON for machines, columns on a terminal. structlog formats what `logging` is told.

Each line has `time` (UTC), `level`, `event` and `logger`, the fields of the work that it belongs to (`base.logs`) and
its own. A traceback stands on errors only, as a list of frames without their variables: those may hold anybody's data.
"""

import logging
import sys
from collections.abc import Sequence
from typing import Any, Final

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from base.logs import current_fields
from base.settings import LogFormat, LogLevel, Settings

FIRST: Final = ("time", "level", "event", "logger")
MOST_FRAMES: Final = 30

_CHATTY: Final = (
    "apscheduler",
    "asyncio",
    "httpcore",
    "httpx",
    "tortoise",
    "urllib3",
    "uvicorn",
    "websockets",
)


def log_to_stderr(settings: Settings) -> None:
    """Say what happens, at the configured level; libraries only say what is wrong, except with debug."""
    level = settings.log_level.upper()
    is_terminal = sys.stderr.isatty()
    as_text = settings.log_format is LogFormat.TEXT or (settings.log_format is LogFormat.AUTO and is_terminal)
    stream = logging.StreamHandler()
    stream.setFormatter(formatter(as_text=as_text, colors=is_terminal))
    logging.basicConfig(level=level, handlers=[stream], force=True)
    logging.captureWarnings(True)
    # Nobody asks who of a process's one thread spoke: without that a line costs a third less.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if settings.log_level is not LogLevel.DEBUG:
        for name in _CHATTY:
            logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
        # Ticks log their own errors. What else it says (one takes long, one was cancelled at the end) is no one's work.
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


def formatter(*, as_text: bool, colors: bool = False) -> logging.Formatter:
    """Turns a record into a line."""
    ending: Sequence[Processor] = [_in_order, structlog.processors.JSONRenderer(serializer=_json)]
    if as_text:
        ending = [
            structlog.dev.ConsoleRenderer(
                colors=colors,
                exception_formatter=structlog.dev.plain_traceback,
                timestamp_key="time",
                pad_event_to=28,
            )
        ]
    else:
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=MOST_FRAMES)
        ending = [structlog.processors.ExceptionRenderer(frames), *ending]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            _add_work,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _trimmed, *ending],
    )


def _add_work(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event.update(current_fields())
    return event


def _trimmed(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Without what another formatter left on the record, and with a traceback on errors only."""
    event.pop("message", None)
    event.pop("asctime", None)
    if event["level"] not in ("error", "critical"):
        event.pop("exc_info", None)
    return event


def _in_order(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {**{name: event.pop(name, None) for name in FIRST}, **event}


def _json(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
