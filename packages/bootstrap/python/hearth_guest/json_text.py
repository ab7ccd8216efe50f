"""JSON text through the C parts of CPython's `json`, which alone do not load `re` (8 ms).

Whatever they do not take, or no longer have in a later Python, goes through the `json` module; all
its error messages are its own.
"""

from __future__ import annotations

_WHITESPACE = " \t\n\r"


class _ScannerSettings:
    """What the scanner reads from a `json.JSONDecoder` with default settings."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {
        "NaN": float("nan"),
        "Infinity": float("inf"),
        "-Infinity": float("-inf"),
    }.__getitem__
    memo: dict = {}


def _make_scanner():
    try:
        from _json import make_scanner

        scan = make_scanner(_ScannerSettings)
        return scan if scan('[{"a": 1.5}, null]', 0) == ([{"a": 1.5}, None], 18) else None
    except Exception:
        return None


_scan = _make_scanner()


def loads(text: str) -> object:
    """Parses `text`. Raises `json.JSONDecodeError` or RecursionError."""
    if _scan is not None:
        stripped = text.strip(_WHITESPACE)
        try:
            value, end = _scan(stripped, 0)
            if end == len(stripped):
                return value
        except (StopIteration, ValueError):
            pass  # the module says what is wrong, and where in the whole text
    import json

    return json.loads(text)


def quote(text: str) -> str:
    """A JSON string of ASCII characters."""
    return _quote_ascii(text)


def _quote_functions():
    try:
        from _json import encode_basestring, encode_basestring_ascii
    except ImportError:
        from json.encoder import encode_basestring, encode_basestring_ascii
    return encode_basestring, encode_basestring_ascii


_quote_unicode, _quote_ascii = _quote_functions()


def _make_fast_encoder(quote_string):
    """A function from plain values to text."""
    try:
        from _json import make_encoder

        def encode(value: object) -> str:
            # A fresh dictionary of the containers under way, to find circles.
            return "".join(
                make_encoder(
                    {}, _refuse, quote_string, None, ": ", ", ", False, False, True
                )(value, 0)
            )

        if encode({"a": [1.5, None]}) == '{"a": [1.5, null]}':
            return encode
    except Exception:
        pass
    from json import JSONEncoder

    return JSONEncoder(ensure_ascii=quote_string is _quote_ascii).encode


def _refuse(value: object) -> object:
    raise TypeError("Object of type %s is not JSON serializable" % value.__class__.__name__)


class JsonWriter:
    """Writes values as AWS's client does, which uses `simplejson`.

    Other than `json` it writes named tuples (anything with `_asdict()`) as objects, bytes as text,
    Decimal as a number, and escapes U+2028 and U+2029 everywhere.
    """

    def __init__(self, ascii_only: bool) -> None:
        self._quote = _quote_ascii if ascii_only else self._quote_for_scripts
        self._encode = _make_fast_encoder(_quote_ascii if ascii_only else _quote_unicode)

    def dumps(self, value: object) -> str:
        """Raises TypeError, ValueError, RecursionError or what the value's own methods raise."""
        import marshal

        try:
            # marshal takes values of the exact built-in types only, at the speed of C: so nothing
            # in there is a named tuple or another subclass, which the C encoder would not notice.
            marshal.dumps(value, 2)
            return _escape_separators(self._encode(value))
        except (TypeError, ValueError):
            from .exact_json import encode

            return encode(value, self._quote)

    @staticmethod
    def _quote_for_scripts(text: str) -> str:
        return _escape_separators(_quote_unicode(text))


def _escape_separators(text: str) -> str:
    if text.isascii():
        return text
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
