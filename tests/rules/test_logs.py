"""How lines of the log look, and what stands on them."""

import asyncio
import io
import json
import logging
import sys
from datetime import datetime, timedelta

import pytest

from base.logs import current_fields, note, saying
from base.settings import LogFormat, Settings
from ops.logs import formatter, log_to_stderr
from tests.lines import captured

log = logging.getLogger("mitra.tests")


def test_a_line_is_one_object_with_time_level_event_and_logger() -> None:
    with captured() as lines:
        log.warning("%d boats left", 3, extra={"harbour": "Ende"})
    (line,) = lines.all()
    assert list(line)[:4] == ["time", "level", "event", "logger"]
    assert (line["level"], line["event"], line["logger"]) == ("warning", "3 boats left", "mitra.tests")
    assert line["harbour"] == "Ende"
    assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)


def test_a_text_with_line_breaks_stays_on_one_line() -> None:
    with captured() as lines:
        log.info("one\ntwo\x1b[31m")
    assert lines.text.count("\n") == 1
    assert lines.one("one\ntwo\x1b[31m")


def test_an_error_has_its_frames_and_no_variables() -> None:
    secret = "a token that nobody should read"
    with captured() as lines:
        try:
            raise ValueError("broken")
        except ValueError:
            log.exception("it failed")
            log.warning("it will be tried again", exc_info=True)
    traced = lines.one("it failed")["exception"]
    assert (traced[0]["exc_type"], traced[0]["exc_value"]) == ("ValueError", "broken")
    assert traced[0]["frames"][-1]["name"] == "test_an_error_has_its_frames_and_no_variables"
    assert secret not in lines.text
    assert "exception" not in lines.one("it will be tried again")


def test_what_cannot_be_json_is_told_as_text() -> None:
    with captured() as lines:
        log.info("odd", extra={"what": {1, 2}, "keys": {1: "a"}, "object": datetime})
    assert lines.one("odd")["keys"] == {"1": "a"}


def test_work_stands_on_its_lines_and_on_no_others() -> None:
    with captured() as lines:
        with saying(consumer="boards"):
            with saying(tick="seasons"):
                log.info("inner")
            note(seen=3)
            log.info("outer")
        note(lost="at sea")
        log.info("after")
    assert (lines.one("inner")["consumer"], lines.one("inner")["tick"]) == ("boards", "seasons")
    assert lines.one("outer")["seen"] == 3
    assert "tick" not in lines.one("outer")
    assert set(lines.one("after")) == {"time", "level", "event", "logger"}


async def test_tasks_side_by_side_do_not_mix() -> None:
    async def work(name: str) -> None:
        with saying(consumer=name):
            await asyncio.sleep(0)
            log.info(name)

    with captured() as lines:
        await asyncio.gather(*(work(name) for name in ("a", "b", "c")))
    assert {line["event"]: line["consumer"] for line in lines.all()} == {"a": "a", "b": "b", "c": "c"}
    assert current_fields() == {}


@pytest.mark.parametrize(
    ("chosen", "terminal", "is_json"),
    [
        (LogFormat.AUTO, False, True),
        (LogFormat.AUTO, True, False),
        (LogFormat.TEXT, False, False),
        (LogFormat.JSON, True, True),
    ],
)
def test_a_terminal_gets_text_and_all_else_json(
    monkeypatch: pytest.MonkeyPatch, chosen: LogFormat, terminal: bool, is_json: bool
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        log_to_stderr(Settings(log_format=chosen))
        log.info("here", extra={"boards": 3})
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = before
        root.setLevel(level)
    line = stream.getvalue()
    assert line.count("\n") == 1
    if is_json:
        assert json.loads(line)["boards"] == 3
    else:
        assert "here" in line
        assert "boards" in line
        assert ("\x1b[" in line) == terminal


def test_text_shows_an_error_as_python_does() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        record = log.makeRecord(log.name, logging.ERROR, __file__, 1, "it failed", (), sys.exc_info())
    told = formatter(as_text=True).format(record)
    assert "Traceback (most recent call last)" in told
    assert told.endswith("ValueError: broken")
