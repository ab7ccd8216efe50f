"""One life of a runtime, played before the real ones: whatever is loaded or made on first use is
there then, once for all that are forked."""

from __future__ import annotations

import os
import sys

from . import channel as frames
from .channel import Channel, ChannelClosed
from .log_sink import LogSink

_FUNCTION = "rehearsal_function"
_REQUEST_ID = "00000000-0000-0000-0000-000000000000"
_EVENTS = (b'{"key":["value",1,2.5,null,true]}', b'{"fail":true}', b"{}")


def run(with_events: bool) -> None:
    """Leaves environment, module path and working folder as they were.

    Events load more of the standard library; without them it is init alone.
    """
    import _socket

    from . import session

    environment = dict(os.environ)
    path, finders, folder = sys.path[:], sys.meta_path[:], os.getcwd()
    ours, theirs = _socket.socketpair()
    _say_all(theirs, _EVENTS if with_events else ())
    log = os.open(os.devnull, os.O_WRONLY)
    channel = Channel(ours.detach())
    try:
        session.converse(channel, LogSink(log))
    except ChannelClosed:
        pass
    finally:
        channel.close()
        theirs.close()
        os.close(log)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:], sys.meta_path[:] = path, finders
        os.chdir(folder)
        sys.modules.pop(_FUNCTION, None)
        sys.path_importer_cache.clear()


def _say_all(theirs, events: tuple[bytes, ...]) -> None:
    """Writes what a server says, and hangs up. Answers that nobody reads can still be written."""
    init = (
        '{"handler":"%s.handler","taskRoot":"%s","optRoot":"/opt","runtime":"python3.12",'
        '"environment":{"TZ":":UTC"},"functionName":"f","functionVersion":"$LATEST",'
        '"memoryLimitInMB":"128","logGroupName":"g","logStreamName":"s","warnings":[]}'
    ) % (_FUNCTION, os.path.dirname(os.path.abspath(__file__)))
    theirs.sendall(_frame(frames.INIT, init, b""))
    header = (
        '{"requestId":"%s","deadlineMs":4102444800000,"traceId":"Root=1",'
        '"invokedFunctionArn":"arn:aws:lambda:us-east-1:000000000000:function:f"}'
    ) % _REQUEST_ID
    for event in events:
        theirs.sendall(_frame(frames.INVOKE, header, event))
    theirs.shutdown(1)


def _frame(kind: int, header: str, payload: bytes) -> bytes:
    text = header.encode()
    length = 5 + len(text) + len(payload)
    prefix = length.to_bytes(4, "big") + bytes((kind,)) + len(text).to_bytes(4, "big")
    return prefix + text + payload
