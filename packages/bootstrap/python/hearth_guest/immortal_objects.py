"""Makes what exists immortal, as CPython itself does with None and small numbers since 3.12.

Nobody counts references to an immortal object. A fork that only looks at an object then does not
write to it, and goes on sharing its page with all others.
"""

from __future__ import annotations

import gc
import sys
from ctypes import c_uint32

# The low half of a reference count is below zero for immortal objects.
_LEAST = 0x8000_0000


def make_all() -> None:
    """Everything that can be reached now, but for what is running. Elsewhere nothing happens."""
    if sys.version_info < (3, 12) or sys.maxsize < 2**32 or sys.byteorder != "little":
        return
    if hasattr(sys, "gettotalrefcount") or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return  # builds that count in another way
    count = c_uint32.from_address
    immortal, mortal = count(id(None)).value, object()
    if immortal < _LEAST or count(id(mortal)).value >= _LEAST:
        return  # another layout
    frame = type(sys._getframe())
    seen: set[int] = set()
    found: list = []
    waiting = gc.get_objects()
    own = (id(seen), id(found), id(waiting))
    while waiting:
        each = waiting.pop()
        if id(each) in seen or id(each) in own or isinstance(each, frame):
            continue
        seen.add(id(each))
        found.append(each)
        waiting.extend(gc.get_referents(each))
    for each in found:
        count(id(each)).value = immortal
