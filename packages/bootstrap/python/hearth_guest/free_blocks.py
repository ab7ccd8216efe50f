"""Uses up the holes in Python's heap.

What a fork allocates would land in one hole here and one there, each on a page that it shares with
all other forks until then and has to copy. Without holes it gets pages one after the other.
"""

from __future__ import annotations

# CPython hands out blocks of these sizes from pools of its own; a header precedes the bytes of `bytes`.
_SIZES = range(48, 513, 16)
_HEADER_BYTES = 33
_POOL_BYTES = 16_384
_MAX_BLOCKS = 100_000

_held: list = []


def use_up() -> None:
    """What it takes is never given back; shared by all forks."""
    for size in _SIZES:
        content = size - _HEADER_BYTES
        fresh, last = 0, 0
        for _ in range(_MAX_BLOCKS):
            block = bytes(content)
            _held.append(block)
            address = id(block)
            # A whole pool in a row: one that had no blocks before.
            fresh = fresh + size if address - last == size else 0
            last = address
            if fresh > _POOL_BYTES // 2:
                break
