"""Where log events go: frames on a descriptor of their own, so that a message with line breaks
stays one event (../../PROTOCOL.md, "Log")."""

from __future__ import annotations

import os
import sys
import time
from _thread import RLock

TEXT = 0xA55A0003
JSON = 0xA55A0002

# Bits in the type of a frame.
UNLABELLED = 0
DEBUG = 8
INFO = 12
WARN = 16
ERROR = 20
FATAL = 24


class LogSink:
    """Takes log events. Never raises because of where they go.

    Threads may use it at the same time. In a forked child, whose frames could land inside one of
    its parent's, and without a descriptor, events are lines of standard output.
    """

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._owner = os.getpid()
        self._lock = RLock()
        self._frames: list[bytes] = []
        self._is_writing = False
        if fd is not None:
            os.set_blocking(fd, True)
            os.set_inheritable(fd, False)

    def write(self, message: str, level: int = UNLABELLED, is_json: bool = False) -> None:
        """One event. A line break at the end of the message is not part of it."""
        if message.endswith("\n"):
            message = message[:-1]
        if self._fd is None or os.getpid() != self._owner:
            _write_to_stdout(message)
            return
        data = message.encode("utf-8", "backslashreplace")
        head = ((JSON if is_json else TEXT) | level).to_bytes(4, "big")
        now_us = time.time_ns() // 1000
        self._send(head + len(data).to_bytes(4, "big") + now_us.to_bytes(8, "big") + data)

    def _send(self, frame: bytes) -> None:
        with self._lock:
            self._frames.append(frame)
            if self._is_writing:
                return  # a signal handler that logs; the write that it interrupted goes on with it
            self._is_writing = True
            try:
                while self._frames:
                    # What is left stays in the list, in case a signal handler raises in here.
                    count = os.write(self._fd, self._frames[0])  # type: ignore[arg-type]
                    if count == len(self._frames[0]):
                        del self._frames[0]
                    else:
                        self._frames[0] = self._frames[0][count:]
            except OSError:
                self._frames.clear()  # nobody listens any more
            finally:
                self._is_writing = False


def _write_to_stdout(message: str) -> None:
    try:
        sys.stdout.write(message + "\n")
        sys.stdout.flush()
    except Exception:
        pass
