"""Ways out of this process that cannot hang on what the function left running."""

from __future__ import annotations

import os
import sys

from .process_setup import flush_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def leave(status: int) -> NoReturn:
    """Runs the function's exit handlers, but does not wait for its threads as `sys.exit` would."""
    try:
        import atexit

        atexit._run_exitfuncs()
    except BaseException:
        pass  # already printed
    flush_output()
    os._exit(status & 0xFF)


def leave_with(error: BaseException) -> NoReturn:
    """Ends as the interpreter ends a program with this uncaught exception."""
    if isinstance(error, SystemExit):
        leave(_status_of(error))
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException:
        pass
    try:
        if isinstance(error, KeyboardInterrupt):
            _end_by_interrupt()
    finally:
        leave(1)


def _status_of(error: SystemExit) -> int:
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    try:
        print(code, file=sys.stderr)
    except BaseException:
        pass
    return 1


def _end_by_interrupt() -> None:
    import signal

    flush_output()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Returns in the first process of a namespace, which signals without a handler do not reach.
    os.kill(os.getpid(), signal.SIGINT)
