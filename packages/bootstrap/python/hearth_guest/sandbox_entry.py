"""The way from the zygote into a sandbox, with all rights left behind."""

from __future__ import annotations

import ctypes
import os
import resource

_CLONE_NEWNS = 0x0002_0000
_CLONE_NEWCGROUP = 0x0200_0000
_CLONE_NEWUTS = 0x0400_0000
_CLONE_NEWIPC = 0x0800_0000
_CLONE_NEWUSER = 0x1000_0000
_CLONE_NEWPID = 0x2000_0000
_CLONE_NEWNET = 0x4000_0000
_ALL_BUT_PID = (
    _CLONE_NEWUSER
    | _CLONE_NEWNS
    | _CLONE_NEWCGROUP
    | _CLONE_NEWUTS
    | _CLONE_NEWIPC
    | _CLONE_NEWNET
)

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_CHILD_SUBREAPER = 36
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_SIGKILL = 9
_CAPABILITY_VERSION_3 = 0x2008_0522
_MAX_CAPABILITY = 63
_BYTES_PER_INSTRUCTION = 8
# Above any that the limit of open files of a server allows.
_PAST_ALL_DESCRIPTORS = 1_048_576


class _FilterProgram(ctypes.Structure):
    """`struct sock_fprog`"""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


class SandboxEntry:
    """All that is needed is loaded when this is made: a fork on its way imports nothing."""

    def __init__(self) -> None:
        """Raises OSError or AttributeError where the system lacks what is needed."""
        library = ctypes.CDLL(None, use_errno=True)
        self._setns = library.setns
        self._capset = library.capset
        self._setresgid = library.setresgid
        self._setresuid = library.setresuid
        self._prctl = library.prctl
        long = ctypes.c_ulong
        self._prctl.argtypes = (ctypes.c_int, long, ctypes.c_void_p, long, long)
        # Nobody may look into this process or its forks before they have given up everything.
        self._control(_PR_SET_DUMPABLE, 0)
        self._no_capabilities = (ctypes.c_uint32 * 6)()
        self._capability_header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)

    def stay_for_orphans(self) -> None:
        """What descends from this process and loses its parent becomes a child of it, which it is to
        wait for even when its own parent is gone."""
        self._control(_PR_SET_CHILD_SUBREAPER, 1)
        self._control(_PR_SET_PDEATHSIG, 0)

    def end_with_parent(self) -> None:
        """Not for its own forks."""
        self._control(_PR_SET_PDEATHSIG, _SIGKILL)

    def join(self, descriptors: dict[str, list[int]]) -> None:
        """Moves this process into the sandbox's control groups, and those that it forks from now on
        into its PID namespace: all that they have is charged to the sandbox."""
        for group in descriptors.get("group", ()):
            os.write(group, b"0")
        (first,) = descriptors["firstProcess"]
        self._enter(first, _CLONE_NEWPID)

    def enter(
        self, request: dict, descriptors: dict[str, list[int]], tell: int, done: bytes
    ) -> None:
        """Makes a fork of a process that has joined what a program is that the sandbox has executed.

        At the end `done` is written to `tell`, which is closed. Raises OSError.
        """
        (first,) = descriptors["firstProcess"]
        program = _read_all(descriptors["filter"][0]) if "filter" in descriptors else None
        os.setsid()
        os.setgroups(())
        for name, soft, hard in request["limits"]:
            kept = resource.getrlimit(name)[1] if hard is None else int(hard)
            resource.setrlimit(name, (int(soft), kept))
        self._enter(first, _ALL_BUT_PID)
        os.chdir(request["cwd"])
        stdio = descriptors["stdio"]
        for target, descriptor in enumerate(stdio):
            os.dup2(descriptor, target)
        # All that the zygote has goes; its socket does so at the end.
        os.closerange(len(stdio), tell)
        os.closerange(tell + 1, _PAST_ALL_DESCRIPTORS)
        self._drop_bounding_set()
        self._checked(self._setresgid(*(request["gid"],) * 3), "setresgid")
        self._checked(self._setresuid(*(request["uid"],) * 3), "setresuid")
        self._control(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
        self._checked(self._capset(self._capability_header, self._no_capabilities), "capset")
        self._control(_PR_SET_NO_NEW_PRIVS, 1)
        # As an executed program is: its owner, the function, may look into it.
        self._control(_PR_SET_DUMPABLE, 1)
        if program is not None:
            loaded = _FilterProgram(len(program) // _BYTES_PER_INSTRUCTION, program)
            address = ctypes.cast(ctypes.pointer(loaded), ctypes.c_void_p)
            self._control(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, address)
        os.write(tell, done)
        os.close(tell)

    def _enter(self, descriptor: int, kinds: int) -> None:
        self._checked(self._setns(descriptor, kinds), "setns")

    def _drop_bounding_set(self) -> None:
        for capability in range(_MAX_CAPABILITY + 1):
            if self._prctl(_PR_CAPBSET_READ, capability, None, 0, 0) < 0:
                return  # the kernel has no more of them
            self._control(_PR_CAPBSET_DROP, capability)

    def _control(self, option: int, value: int, address: object = None) -> None:
        self._checked(self._prctl(option, value, address, 0, 0), "prctl %d" % option)

    @staticmethod
    def _checked(result: int, call: str) -> None:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, "%s: %s" % (call, os.strerror(number)))


def _read_all(descriptor: int) -> bytes:
    parts = []
    while True:
        part = os.read(descriptor, 65_536)
        if not part:
            return b"".join(parts)
        parts.append(part)
