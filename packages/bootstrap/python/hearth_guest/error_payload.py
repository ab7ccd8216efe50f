"""The JSON object by which an error is told to the caller and to the log."""

from __future__ import annotations

import os

from .fault import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep

# Far above the default recursion limit; bounds the time that a function with a higher one can cost.
_MAX_FRAMES = 10_000


def describe_error(error: BaseException, request_id: str = "") -> dict:
    """Payload of an error, keys in AWS's order; `request_id` is empty during init."""
    if isinstance(error, Fault):
        return _payload(error.message, error.error_type, request_id, error.stack_trace)
    return _payload(
        _message_of(error), _type_name(error), request_id, _stack_lines(error.__traceback__)
    )


def _payload(message: str, error_type: str, request_id: str, stack_trace: list[str]) -> dict:
    return {
        "errorMessage": message,
        "errorType": error_type,
        "requestId": request_id,
        "stackTrace": stack_trace,
    }


def _message_of(error: BaseException) -> str:
    try:
        return str(str(error))
    except Exception:
        return "<exception str() failed>"


def _type_name(error: BaseException) -> str:
    try:
        return str(type(error).__name__)
    except Exception:
        return "Exception"  # a metaclass can answer anything


def _stack_lines(trace: TracebackType | None) -> list[str]:
    """One string for each frame, as `traceback` prints it without markers; the runtime's own go."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        trace = trace.tb_next
    if trace is None:
        return []
    try:
        import traceback

        frames = traceback.extract_tb(trace, _MAX_FRAMES)
        return traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in frames])
    except Exception:
        # Reading source needs a file, of which the function may have left none to open; a loader of
        # the function's may fail, too.
        return _lines_without_source(trace)


def _lines_without_source(trace: TracebackType | None) -> list[str]:
    lines: list[str] = []
    while trace is not None and len(lines) < _MAX_FRAMES:
        code = trace.tb_frame.f_code
        place = (code.co_filename, trace.tb_lineno, code.co_name)
        lines.append('  File "%s", line %s, in %s\n' % place)
        trace = trace.tb_next
    return lines
