"""Frames between the server and this process; ../../PROTOCOL.md describes them."""

from __future__ import annotations

import os

from . import json_text

INIT = 0x01
INVOKE = 0x02

BOOTED = 0x81
READY = 0x82
INIT_ERROR = 0x83
RESPONSE = 0x84
ERROR = 0x85
CODE_CACHE = 0x89

_PREFIX_BYTES = 9
_READ_BYTES = 65_536


class ChannelClosed(Exception):
    """The server has hung up, or this process is a fork that the channel does not belong to."""


class Frame:
    """One message of the server."""

    __slots__ = ("header", "kind", "payload")

    def __init__(self, kind: int, header: dict, payload: bytes) -> None:
        self.kind = kind
        self.header = header
        self.payload = payload


class Channel:
    """The stream socket to the server. It belongs to one process: forks of it lose it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._owner = os.getpid()
        self._received = b""
        os.set_blocking(fd, True)
        os.set_inheritable(fd, False)
        os.register_at_fork(after_in_child=self.close)

    @property
    def is_owned(self) -> bool:
        """Whether this is the process that the server talks to, and no fork of it."""
        return os.getpid() == self._owner

    def receive(self) -> Frame:
        """The next frame. Raises ChannelClosed at the end of the stream."""
        self._check_owner()
        received = self._received
        while len(received) < 4:
            received += self._read()
        end = 4 + int.from_bytes(received[:4], "big")
        if len(received) < end:
            received = self._read_up_to(received, end)
        self._received = received[end:]
        header_end = _PREFIX_BYTES + int.from_bytes(received[5:_PREFIX_BYTES], "big")
        header = json_text.loads(str(received[_PREFIX_BYTES:header_end], "utf-8"))
        return Frame(received[4], header, received[header_end:end])

    def send(self, kind: int, header: bytes = b"{}", payload: bytes = b"") -> None:
        """Writes one frame; `header` is JSON. Raises ChannelClosed where the server is gone."""
        self._check_owner()
        length = 5 + len(header) + len(payload)
        prefix = length.to_bytes(4, "big") + bytes((kind,)) + len(header).to_bytes(4, "big")
        try:
            sent = os.writev(self._fd, (prefix, header, payload))
            if sent < 4 + length:
                rest = memoryview(prefix + header + payload)[sent:]
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
        except (BrokenPipeError, ConnectionResetError):
            raise ChannelClosed from None

    def _read(self) -> bytes:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            raise ChannelClosed
        return data

    def _read_up_to(self, received: bytes, end: int) -> bytes:
        """Large frames: one buffer of the final size instead of a growing one."""
        buffer = bytearray(end)
        filled = len(received)
        buffer[:filled] = received
        view = memoryview(buffer)
        while filled < end:
            try:
                count = os.readv(self._fd, (view[filled:],))
            except ConnectionResetError:
                count = 0
            if count == 0:
                raise ChannelClosed
            filled += count
        return bytes(view)

    def _check_owner(self) -> None:
        if not self.is_owned:
            raise ChannelClosed

    def close(self) -> None:
        """Hangs up. Also in a forked child: a copy of the descriptor would keep the server from
        seeing our end."""
        fd, self._fd = self._fd, -1
        try:
            if fd >= 0:
                os.close(fd)
        except OSError:
            pass  # the function has closed it
