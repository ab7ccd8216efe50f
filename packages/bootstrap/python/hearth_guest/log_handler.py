"""The root handler of the `logging` module. Loaded only together with that module."""

from __future__ import annotations

import logging
import time

from . import log_sink
from .runtime_log import RuntimeLog, timestamp

_TEXT_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
_FRAME_LEVELS = {
    logging.DEBUG: log_sink.DEBUG,
    logging.INFO: log_sink.INFO,
    logging.WARNING: log_sink.WARN,
    logging.ERROR: log_sink.ERROR,
    logging.CRITICAL: log_sink.FATAL,
}

# Attributes of every record; all others are what the function has added by `extra`.
_RECORD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"aws_request_id", "tenant_id"}


def install(log: RuntimeLog) -> None:
    """Gives the root logger the handler it has on AWS, and the configured level."""
    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler(log)
    if log.is_json:
        handler.setFormatter(_JsonFormatter(log))
    else:
        handler.setFormatter(logging.Formatter(_TEXT_FORMAT, "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(_RequestFilter(log))
    root = logging.getLogger()
    if isinstance(logging.getLevelName(log.level), int):
        root.setLevel(log.level)
    root.addHandler(handler)


class LambdaLoggerHandler(logging.Handler):
    """Named as on AWS: tracing libraries look for a handler of this name to change its format."""

    def __init__(self, log: RuntimeLog) -> None:
        super().__init__()
        self.log_sink = log.sink
        self._is_json = log.is_json
        # In text mode without a level AWS does not label events.
        self._is_labelled = log.is_json or log.level != ""

    def emit(self, record: logging.LogRecord) -> None:
        level = _FRAME_LEVELS.get(_rounded(record.levelno), 0) if self._is_labelled else 0
        self.log_sink.write(self.format(record), level, self._is_json)


class _RequestFilter(logging.Filter):
    """Makes the request id available to any format."""

    def __init__(self, log: RuntimeLog) -> None:
        super().__init__()
        self._log = log

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self._log.request_id
        record.tenant_id = None
        return True


class _JsonFormatter(logging.Formatter):
    def __init__(self, log: RuntimeLog) -> None:
        super().__init__()
        self._log = log

    def format(self, record: logging.LogRecord) -> str:
        import json

        entry: dict[str, object] = {
            "timestamp": timestamp(record.created),
            "level": logging.getLevelName(_rounded(record.levelno)),
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[0] is not None:
            entry.update(_exception_fields(record.exc_info))
        entry["requestId"] = self._log.request_id
        if "stackTrace" in entry:
            entry["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
        for name, value in vars(record).items():
            if name not in _RECORD_ATTRIBUTES and name not in entry and value is not None:
                entry[name] = value
        return json.dumps(entry, ensure_ascii=False, default=str)


def _exception_fields(exc_info: tuple) -> dict[str, object]:
    import traceback

    return {
        "stackTrace": traceback.format_tb(exc_info[2]),
        "errorType": exc_info[0].__name__,
        "errorMessage": str(exc_info[1]),
    }


def _rounded(level: int) -> int:
    """Levels between the named ones count as the next lower."""
    return min(50, max(0, level)) // 10 * 10
