"""Log events of the runtime itself, in the format that the function's configuration asks for."""

from __future__ import annotations

import os
import time

from . import log_sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .json_text import JsonWriter
    from .log_sink import LogSink

_NO_BREAK_SPACE = "\u00a0"


class RuntimeLog:
    """Format and level are fixed at init, when the function's environment is known."""

    def __init__(self, sink: LogSink, json: JsonWriter) -> None:
        self.sink = sink
        self.is_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
        # A name of the `logging` module, or one that it does not know and that changes nothing.
        level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
        self.level = "DEBUG" if level == "TRACE" else level
        # Of the event under way or the last one; empty during init.
        self.request_id = ""
        self._json = json

    def warn(self, message: str) -> None:
        """A line of the platform, before anything of the function is loaded."""
        if self.is_json:
            record = {"timestamp": timestamp(time.time()), "level": "WARN", "message": message}
            self._write_json(record, log_sink.WARN)
        else:
            line = "[WARN]\t%s\t%s\t%s" % (timestamp(time.time()), self.request_id, message)
            self.sink.write(line, log_sink.WARN)

    def error(self, payload: dict) -> None:
        """An error that the function has answered with; `payload` as the caller gets it."""
        if self.is_json:
            record = {"timestamp": timestamp(time.time()), "level": "ERROR"}
            record.update(payload)
            self._write_json(record, log_sink.ERROR)
        else:
            self.sink.write("\n".join(_error_lines(payload)), log_sink.ERROR)

    def _write_json(self, record: dict, level: int) -> None:
        self.sink.write(self._json.dumps(record), level, is_json=True)


def timestamp(seconds: float) -> str:
    """`2026-01-31T23:59:59.999Z`"""
    milliseconds = int(seconds * 1000)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    return "%s.%03dZ" % (text, milliseconds % 1000)


def _error_lines(payload: dict) -> list[str]:
    """AWS's lines; no-break spaces keep the indentation where a viewer of logs trims lines."""
    parts = [part for part in (payload["errorType"], payload["errorMessage"]) if part]
    lines = [("[ERROR] " + ": ".join(parts)).rstrip(" "), "Traceback (most recent call last):"]
    for element in payload["stackTrace"]:
        for line in element.splitlines() or [""]:
            text = line.lstrip(" ")
            lines.append(_NO_BREAK_SPACE * (len(line) - len(text)) + text)
    return lines
