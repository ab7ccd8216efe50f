"""A prepared process that guests are forked from (../../PROTOCOL.md, "Zygote").

It is trusted: it runs as root of the host, in a mount namespace that looks like a sandbox's, and no
code of a function ever runs in it. Its forks enter a sandbox that is there already and give up all
that they have beyond a guest that was executed in it.
"""

from __future__ import annotations

import gc
import os
import sys

from . import json_text

# Of a process that the server executes as a guest, nothing is open beyond 4.
REQUESTS_FD = 5

_MAX_REQUEST_BYTES = 65_536
_MAX_DESCRIPTORS = 64
_FAILED_STATUS = 70


def is_wanted() -> bool:
    """Whether this process was started to be forked from."""
    try:
        import stat

        return stat.S_ISSOCK(os.fstat(REQUESTS_FD).st_mode)
    except OSError:
        return False


def serve() -> None:
    """Forks guests for as long as the server asks for them. Returns in each of the forks, when it
    is in its sandbox; never in the process that was called."""
    before = frozenset(sys.modules)
    from . import prepared_modules, rehearsal
    from .sandbox_entry import SandboxEntry
    from .standard_modules import use_prepared

    entry = SandboxEntry()
    rehearsal.run()
    prepared_modules.load(before)
    use_prepared(prepared_modules.find)
    zygote = _Zygote(entry)
    gc.disable()
    gc.collect()
    gc.freeze()
    zygote.run()
    # From here on this is a guest.
    gc.enable()


class _Zygote:
    """The server's side of the socket is a stream; each request comes with its descriptors."""

    def __init__(self, entry) -> None:
        import _socket
        import array
        import select
        import signal

        self._array = array.array
        self._entry = entry
        self._writer = json_text.JsonWriter(ascii_only=True)
        self._signal = signal
        self._socket_module = _socket
        self._socket = _socket.socket(fileno=REQUESTS_FD)
        self._poll = select.poll()
        self._events = select.POLLIN | select.POLLHUP
        self._wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # Forks that have not told yet how their entry went: request and process by descriptor.
        self._entering: dict[int, tuple[int, int]] = {}
        self._parts = array.array("i").itemsize * _MAX_DESCRIPTORS

    def run(self) -> None:
        """Returns in forks only."""
        signal = self._signal
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)
        self._poll.register(REQUESTS_FD, self._events)
        self._poll.register(self._wakeup[0], self._events)
        self._tell({"ready": os.getpid()})
        while True:
            for fd, _ in self._poll.poll():
                if fd == REQUESTS_FD:
                    if self._take_request():
                        return
                elif fd == self._wakeup[0]:
                    os.read(fd, 4_096)
                else:
                    self._entered(fd)
            self._reap()

    def _take_request(self) -> bool:
        """True in the fork that it made."""
        header, descriptors = self._receive()
        request = json_text.loads(header)
        told, tell = os.pipe2(os.O_CLOEXEC)
        descriptors_by_name = _by_name(request["descriptors"], descriptors)
        try:
            pid = self._entry.fork(descriptors_by_name)
        except BaseException as error:
            os.close(told)
            os.close(tell)
            _close_all(descriptors)
            self._tell({"id": request["id"], "error": _describe(error)})
            return False
        if pid == 0:
            self._become_guest(request, descriptors_by_name, tell)
            return True
        os.close(tell)
        _close_all(descriptors)
        self._entering[told] = (request["id"], pid)
        self._poll.register(told, self._events)
        self._tell({"id": request["id"], "pid": pid})
        return False

    def _become_guest(self, request, descriptors, tell: int) -> None:
        """Ends the process where it cannot be done: it has more rights than a guest."""
        try:
            signal = self._signal
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._socket.detach()
            self._entry.enter(request, descriptors, tell)
        except BaseException as error:
            try:
                os.write(tell, _describe(error).encode("utf-8", "replace")[:1_000])
            finally:
                os._exit(_FAILED_STATUS)

    def _entered(self, fd: int) -> None:
        """The end of the pipe without a word: the fork has closed it on its way into the sandbox."""
        try:
            error = os.read(fd, 1_024)
        except OSError:
            error = b"cannot be read"
        self._poll.unregister(fd)
        os.close(fd)
        number, _ = self._entering.pop(fd)
        if error:
            self._tell({"id": number, "error": str(error, "utf-8", "replace")})
        else:
            self._tell({"id": number, "entered": True})

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            # Its end is the last that is told of a fork.
            for fd in [fd for fd, (_, entering) in self._entering.items() if entering == pid]:
                self._entered(fd)
            self._tell({"ended": pid, "status": status})

    def _receive(self) -> tuple[str, list[int]]:
        """One request. Ends the process where the server is gone."""
        data, ancillary, _, _ = self._socket.recvmsg(
            _MAX_REQUEST_BYTES, self._socket_module.CMSG_SPACE(self._parts), 0x40000000
        )
        descriptors = self._array("i")
        for _, _, passed in ancillary:
            descriptors.frombytes(passed[: len(passed) - len(passed) % descriptors.itemsize])
        if not data:
            os._exit(0)
        return str(data, "utf-8"), descriptors.tolist()

    def _tell(self, message: dict) -> None:
        data = self._writer.dumps(message).encode() + b"\n"
        try:
            while data:
                data = data[self._socket.send(data, self._socket_module.MSG_NOSIGNAL) :]
        except OSError:
            os._exit(0)


def _by_name(names: list[str], descriptors: list[int]) -> dict[str, list[int]]:
    """A name may stand several times."""
    if len(names) != len(descriptors):
        _close_all(descriptors)
        raise RuntimeError("%d of %d descriptors came" % (len(descriptors), len(names)))
    found: dict[str, list[int]] = {}
    for name, descriptor in zip(names, descriptors):
        found.setdefault(name, []).append(descriptor)
    return found


def _ignore(signal_number: int, frame: object) -> None:
    """That there is a handler makes the signal known on the wake-up pipe."""


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _describe(error: BaseException) -> str:
    return "%s: %s" % (type(error).__name__, error)
