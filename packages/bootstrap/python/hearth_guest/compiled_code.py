"""Byte code that an earlier environment of the same function has left with the server.

Nothing can be written beside the code, so that each environment would compile all of it again. What
was compiled by the end of the first event is sent to the server, which shows it to later ones
(../../PROTOCOL.md). It is executed without a look at the source: the server gives it only to the same
code of the same function, on the same interpreter.
"""

from __future__ import annotations

import marshal
import os
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader as _SourceFileLoader,
    SourcelessFileLoader,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

# The server's name for any compiled code.
_FILE = "v8.cache"
_MAGIC = b"HEARTHP1"
_INDEX_START = len(_MAGIC) + 4
# Of all together; the server takes no more.
_MAX_BYTES = 33_554_432
# Less is compiled sooner than it is fetched.
_MIN_BYTES = 4_096
_CHUNK_BYTES = 262_144


class CompiledCode:
    """What there is for one function, and what is collected for the next environment."""

    def __init__(self, roots: list[str], folder: str | None, is_wanted: bool) -> None:
        """`roots` are the folders whose content is that of the deployed code and never changes."""
        self.is_rejected = False
        self._roots = tuple(root + "/" for root in roots)
        self._path = "%s/%s" % (folder, _FILE)
        self._collected: dict[str, CodeType] | None = {} if is_wanted else None
        self._start = 0
        self._index: dict[str, tuple[int, int]] = {}
        if folder is not None:
            self._read_index()

    def install(self) -> None:
        """From now on modules below the roots are loaded with it."""
        if not self._index and self._collected is None:
            return
        loaders = (
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (lambda name, path: SourceFileLoader(name, path, self), SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )

        def find_in(path: str) -> FileFinder:
            if not (path + "/").startswith(self._roots) or not os.path.isdir(path):
                raise ImportError("not a folder of the function's code", path=path)
            return FileFinder(path, *loaders)

        sys.path_hooks.insert(0, find_in)

    def find(self, path: str) -> CodeType | None:
        """The code of a source file; None where it has to be compiled."""
        place = self._index.get(path)
        if place is None:
            return None
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return marshal.loads(os.pread(descriptor, place[1], self._start + place[0]))
            finally:
                os.close(descriptor)
        except (OSError, EOFError, ValueError, TypeError):
            self.is_rejected = True
            return None

    def add(self, path: str, code: CodeType) -> None:
        """Code that was compiled just now."""
        if self._collected is not None and path.startswith(self._roots):
            self._collected[path] = code

    def take_collected(self) -> list[bytes] | None:
        """In pieces, the last of which may be empty; once. None where it was not asked for."""
        collected, self._collected = self._collected, None
        if collected is None:
            return None
        data = _pack(collected)
        if not _MIN_BYTES <= len(data) <= _MAX_BYTES:
            return [b""]
        return [data[start : start + _CHUNK_BYTES] for start in range(0, len(data), _CHUNK_BYTES)]

    def _read_index(self) -> None:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                head = os.pread(descriptor, _INDEX_START, 0)
                if head[: len(_MAGIC)] != _MAGIC:
                    raise ValueError("no compiled code")
                size = int.from_bytes(head[len(_MAGIC) :], "big")
                self._index = marshal.loads(os.pread(descriptor, size, _INDEX_START))
                self._start = _INDEX_START + size
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            pass  # the server has just given it up
        except (OSError, EOFError, ValueError, TypeError):
            self.is_rejected = True


class SourceFileLoader(_SourceFileLoader):
    """As the interpreter's own; functions that look at their loader find the same name."""

    def __init__(self, name: str, path: str, compiled: CompiledCode) -> None:
        super().__init__(name, path)
        self._compiled = compiled

    def get_code(self, fullname: str) -> CodeType | None:
        code = self._compiled.find(self.get_filename(fullname))
        return super().get_code(fullname) if code is None else code

    def source_to_code(self, data, path, *, _optimize: int = -1) -> CodeType:
        code = super().source_to_code(data, path, _optimize=_optimize)
        self._compiled.add(path, code)
        return code


def _pack(codes: dict[str, CodeType]) -> bytes:
    """Magic, length of the index, the index: offset and size by path, then the codes."""
    index: dict[str, tuple[int, int]] = {}
    parts: list[bytes] = []
    offset = 0
    for path, code in codes.items():
        part = marshal.dumps(code)
        index[path] = (offset, len(part))
        parts.append(part)
        offset += len(part)
    head = marshal.dumps(index)
    return b"".join([_MAGIC, len(head).to_bytes(4, "big"), head] + parts)
