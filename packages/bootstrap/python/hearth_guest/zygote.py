"""A prepared process that guests are forked from (../../PROTOCOL.md, "Zygote").

It is trusted: it runs as root of the host, in a mount namespace that looks like a sandbox's, and no
code of a function ever runs in it. Its forks enter a sandbox that is there already and give up all
that they have beyond a guest that was executed in it.

Four processes take part. A page that one of them writes to is copied, and whoever was forked from it
before keeps the old one for itself. So the template, which all guests share their memory with, does
next to nothing: it takes a request and forks. That fork, the courier, does the rest, and forks the
guest inside the sandbox. The first process only waits: couriers leave their guests to it.
"""

from __future__ import annotations

import gc
import os
import sys

from . import json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .sandbox_entry import SandboxEntry

# Of a process that the server executes as a guest, nothing is open beyond 4.
REQUESTS_FD = 5

_MAX_REQUEST_BYTES = 65_536
_MAX_DESCRIPTORS = 64
_MSG_CMSG_CLOEXEC = 0x40000000
_FAILED_STATUS = 70
# The interpreter rewrites code that has run a few times.
_REHEARSALS = 10


def is_wanted() -> bool:
    """Whether this process was started to be forked from."""
    try:
        import stat

        return stat.S_ISSOCK(os.fstat(REQUESTS_FD).st_mode)
    except OSError:
        return False


def serve() -> None:
    """Forks guests for as long as the server asks for them. Returns in each of the guests, when it
    is in its sandbox; never in the process that was called."""
    before = frozenset(sys.modules)
    from . import free_blocks, immortal_objects, prepared_modules, rehearsal
    from .sandbox_entry import SandboxEntry
    from .standard_modules import use_prepared

    entry = SandboxEntry()
    template = _Template(entry)
    prepared_modules.load()
    use_prepared(prepared_modules.find)
    for _ in range(_REHEARSALS):
        prepared_modules.set_aside(before)
        rehearsal.run(with_events=True)
    prepared_modules.set_aside(before)
    prepared_modules.expect_fork()
    gc.disable()
    gc.collect()
    immortal_objects.make_all()
    free_blocks.use_up()
    gc.freeze()
    entry.stay_for_orphans()
    pid = os.fork()
    if pid != 0:
        _wait_for_guests(pid)
    entry.end_with_parent()
    template.run()
    # From here on this is a guest. What init will write to is copied now, while nobody waits for it;
    # an event's part is not worth its memory.
    gc.enable()
    rehearsal.run(with_events=False)


def _wait_for_guests(template: int) -> NoReturn:
    """Until the last guest is gone, also without a server: a process that nobody waits for keeps its
    sandbox from ending."""
    _tell(b'{"ready": %d}' % os.getpid())
    try:
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid != template:
                _tell(b'{"ended": %d, "status": %d}' % (pid, status))
            elif status != 0:
                os._exit(1)  # a fault; when the server hangs up, the status is 0
    except ChildProcessError:
        os._exit(0)


class _Template:
    """The server's side of the socket is a stream; each request comes with its descriptors."""

    def __init__(self, entry: SandboxEntry) -> None:
        import _socket
        import array
        import signal

        self._descriptors = array.array("i")
        self._entry = entry
        self._signal = signal.signal
        self._signals = (signal.SIGCHLD, signal.SIG_IGN, signal.SIG_DFL)
        self._socket = _socket.socket(fileno=REQUESTS_FD)
        self._space = _socket.CMSG_SPACE(_MAX_DESCRIPTORS * self._descriptors.itemsize)

    def run(self) -> None:
        """Returns in guests only."""
        child, ignore, _ = self._signals
        # Nobody waits for couriers.
        self._signal(child, ignore)
        descriptors = self._descriptors
        while True:
            data, ancillary, _, _ = self._socket.recvmsg(
                _MAX_REQUEST_BYTES, self._space, _MSG_CMSG_CLOEXEC
            )
            if not data:
                os._exit(0)
            for _, _, passed in ancillary:
                descriptors.frombytes(passed)
            if os.fork() == 0:
                self._carry(json_text.loads(str(data, "utf-8")))
                return
            for descriptor in descriptors:
                os.close(descriptor)
            del descriptors[:]

    def _carry(self, request: dict) -> None:
        """Returns in the guest. Whatever fails ends the process: it has more rights than a guest."""
        number = request["id"]
        try:
            child, _, default = self._signals
            self._signal(child, default)
            descriptors = _by_name(request["descriptors"], self._descriptors)
            self._entry.join(descriptors)
            pid = os.fork()
            if pid != 0:
                _tell(b'{"id": %d, "pid": %d}' % (number, pid))
                os._exit(0)
            self._socket.detach()
            self._entry.enter(
                request, descriptors, REQUESTS_FD, b'{"id": %d, "entered": true}\n' % number
            )
        except BaseException as error:
            reason = json_text.quote("%s: %s" % (type(error).__name__, error))
            _tell(b'{"id": %d, "error": %s}' % (number, reason.encode()))
            os._exit(_FAILED_STATUS)


def _tell(message: bytes) -> None:
    """Small enough that it is written at once and whole. Nobody need listen any more."""
    try:
        os.write(REQUESTS_FD, message + b"\n")
    except OSError:
        pass


def _by_name(names: list[str], descriptors) -> dict[str, list[int]]:
    """A name may stand several times."""
    if len(names) != len(descriptors):
        raise RuntimeError("%d of %d descriptors came" % (len(descriptors), len(names)))
    found: dict[str, list[int]] = {}
    for name, descriptor in zip(names, descriptors):
        found.setdefault(name, []).append(descriptor)
    return found
