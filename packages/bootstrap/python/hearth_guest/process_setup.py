"""Makes this process the function's: environment, working folder, module path, output streams."""

from __future__ import annotations

import os
import sys
import time

# Set where a program of the function's, its wrapper, has started this process and may have set more.
_KEEP_ENVIRONMENT = "_HEARTH_KEEP_ENVIRONMENT"


def adopt_environment(environment: dict[str, str]) -> None:
    """Replaces the whole environment, also for the C library and for programs started later.

    What the function's wrapper has started has it already, with the wrapper's changes: there only
    the variables that are not for the function go.
    """
    if _KEEP_ENVIRONMENT in os.environ:
        for name in list(os.environ):
            if name.startswith("_HEARTH_") or name == "_LAMBDA_TELEMETRY_LOG_FD":
                del os.environ[name]
        return
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()


def enter_task(task_root: str, layer_folders: list[str]) -> None:
    """Puts the function's code first, then its layers, then PYTHONPATH, before what the interpreter
    has by itself: the order that is seen on AWS.

    The interpreter has not seen the function's PYTHONPATH where it was started ahead of it.
    """
    first = [task_root] + layer_folders
    for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        if entry and entry not in first:
            first.append(entry)
    sys.path[:] = first + [entry for entry in sys.path if entry not in first]
    try:
        os.chdir(task_root)
    except OSError:
        pass  # the import that follows says it better


def layer_folders(opt_root: str, runtime: str) -> list[str]:
    """Where layers have Python packages. The version is the runtime's, as AWS and the tools that
    build layers have it, also where another interpreter stands in."""
    return [
        "%s/python/lib/%s/site-packages" % (opt_root, runtime),
        "%s/python" % opt_root,
    ]


def prepare_output() -> None:
    """Lines leave as they are printed. Encoding errors are those of AWS, in any locale."""
    sys.stdout.reconfigure(line_buffering=True, errors="strict")
    sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")


def flush_output() -> None:
    """Writes out what is printed and not yet ended by a line break. The function may have replaced
    the streams by anything."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__):
        try:
            stream.flush()  # type: ignore[union-attr]
        except Exception:
            pass


def set_trace_id(trace_id: str | None) -> None:
    """The X-Ray trace of the event under way, where SDK clients look for it."""
    if trace_id is not None:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
