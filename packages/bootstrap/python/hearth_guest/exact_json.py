"""The slow way to JSON: for values that are not made of plain built-in types alone."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def encode(value: object, quote: Callable[[str], str]) -> str:
    """JSON text of `value`. Raises TypeError or ValueError with the messages of `json`."""
    chunks: list[str] = []
    _Encoder(quote, chunks.append).write(value)
    return "".join(chunks)


class _Encoder:
    def __init__(self, quote: Callable[[str], str], emit: Callable[[str], None]) -> None:
        self._quote = quote
        self._emit = emit
        self._open: set[int] = set()
        # Nobody has a Decimal who has not loaded the module.
        self._decimal = getattr(sys.modules.get("decimal"), "Decimal", ())

    def write(self, value: object) -> None:
        text = self._scalar(value)
        if text is not None:
            self._emit(text)
        elif isinstance(value, list):
            self._array(value)
        elif callable(getattr(value, "_asdict", None)):
            self._object(value._asdict())  # type: ignore[attr-defined]
        elif isinstance(value, tuple):
            self._array(value)
        elif isinstance(value, dict):
            self._object(value)
        else:
            raise TypeError(
                "Object of type %s is not JSON serializable" % value.__class__.__name__
            )

    def _scalar(self, value: object) -> str | None:
        if isinstance(value, str):
            return self._quote(value)
        if isinstance(value, bytes):
            return self._quote(str(value, "utf-8"))
        if isinstance(value, self._decimal):
            return "NaN" if value.is_nan() else str(value)
        return _number_or_constant(value)

    def _array(self, items: list | tuple) -> None:
        if not items:
            self._emit("[]")
            return
        self._enter(items)
        separator = "["
        for item in items:
            self._emit(separator)
            self.write(item)
            separator = ", "
        self._emit("]")
        self._open.discard(id(items))

    def _object(self, members: dict) -> None:
        if not members:
            self._emit("{}")
            return
        self._enter(members)
        separator = "{"
        for key, member in members.items():
            self._emit(separator)
            self._emit(self._quote(_key_text(key)))
            self._emit(": ")
            self.write(member)
            separator = ", "
        self._emit("}")
        self._open.discard(id(members))

    def _enter(self, container: object) -> None:
        if id(container) in self._open:
            raise ValueError("Circular reference detected")
        self._open.add(id(container))


def _number_or_constant(value: object) -> str | None:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        if value != value:
            return "NaN"
        if value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "-Infinity"
        return float.__repr__(value)
    return None


def _key_text(key: object) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bytes):
        return str(key, "utf-8")
    text = _number_or_constant(key)
    if text is None:
        raise TypeError(
            "keys must be str, int, float, bool or None, not %s" % key.__class__.__name__
        )
    return text
