"""The life of this process: boot, one function, one event after the other."""

from __future__ import annotations

import os
import sys

from . import channel as frames
from . import json_text
from .channel import Channel, ChannelClosed, Frame
from .compiled_code import CompiledCode
from .context import LambdaContext
from .error_payload import describe_error
from .fault import Fault
from .handler_loader import load_handler
from .log_sink import LogSink
from .process_exit import leave, leave_with
from .process_setup import (
    adopt_environment,
    enter_task,
    flush_output,
    layer_folders,
    prepare_output,
    set_trace_id,
)
from .runtime_log import RuntimeLog
from .standard_modules import StandardModules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


def run() -> NoReturn:
    """Serves the channel until it ends. Never returns and never raises."""
    try:
        _serve()
    except ChannelClosed:
        os._exit(0)
    except BaseException as error:
        leave_with(error)


def _serve() -> NoReturn:
    channel = Channel(int(os.environ.get("_HEARTH_CHANNEL_FD", "3")))
    log_fd = os.environ.get("_LAMBDA_TELEMETRY_LOG_FD")
    converse(channel, LogSink(None if log_fd is None else int(log_fd)))


def converse(channel: Channel, sink: LogSink) -> NoReturn:
    """Serves one function. Raises ChannelClosed when the server has hung up."""
    prepare_output()
    version = "%d.%d.%d" % sys.version_info[:3]
    channel.send(frames.BOOTED, b'{"languageVersion":"%s"}' % version.encode())

    function = _Function(channel, sink, _receive(channel, frames.INIT).header)
    function.load()
    while True:
        function.handle(_receive(channel, frames.INVOKE))


def _receive(channel: Channel, kind: int) -> Frame:
    try:
        frame = channel.receive()
    except KeyboardInterrupt:
        # Ctrl-C in the server's terminal reaches us as well, and is not the function's affair.
        raise ChannelClosed from None
    if frame.kind != kind:
        raise RuntimeError(
            "Cannot take a frame of type 0x%02x now: expected 0x%02x" % (frame.kind, kind)
        )
    return frame


class _Function:
    """The function that this process was made for."""

    def __init__(self, channel: Channel, sink: LogSink, init: dict) -> None:
        self._channel = channel
        self._init = init
        self._json = json_text.JsonWriter(ascii_only=_writes_ascii(init["runtime"]))
        self._handler: Callable[[object, object], object] | None = None
        self._compiled: CompiledCode
        adopt_environment(init["environment"])
        self._log = RuntimeLog(sink, self._json)

    def load(self) -> None:
        """Runs the code outside the handler; on an error tells it and ends the process."""
        for warning in self._init.get("warnings") or ():
            self._log.warn(warning)
        self._prepare_logging()
        init = self._init
        enter_task(init["taskRoot"], layer_folders(init["optRoot"], init["runtime"]))
        self._compiled = CompiledCode(
            [init["taskRoot"], init["optRoot"]],
            init.get("codeCache"),
            init.get("collectCodeCache") is True,
        )
        self._compiled.install()
        try:
            # A wrapper may have put another in its place.
            self._handler = load_handler(os.environ.get("_HANDLER") or self._init["handler"])
        except Exception as error:
            self._leave_if_fork(error)
            payload = self._report(error, "")
            header = b'{"errorType":%s}' % json_text.quote(payload["errorType"]).encode()
            self._channel.send(frames.INIT_ERROR, header, self._encode_error(payload))
            leave(1)
        self._leave_if_fork(None)
        flush_output()
        header = b'{"codeCache":"rejected"}' if self._compiled.is_rejected else b"{}"
        self._channel.send(frames.READY, header)

    def handle(self, frame: Frame) -> None:
        """Answers one event. What is no Exception, such as SystemExit, comes through."""
        event = frame.header
        request_id = event["requestId"]
        self._log.request_id = request_id
        set_trace_id(event.get("traceId"))
        try:
            context = LambdaContext(self._init, event, self._log.sink.write)
            result = self._handler(self._unmarshal(frame.payload), context)  # type: ignore[misc]
            kind, header, body = frames.RESPONSE, b"", self._marshal(result)
            if isinstance(result, bytes):
                header = b',"contentType":"application/unknown"'
        except Exception as error:
            self._leave_if_fork(error)
            payload = self._report(error, request_id)
            kind, body = frames.ERROR, self._encode_error(payload)
            header = b',"errorType":%s' % json_text.quote(payload["errorType"]).encode()
        self._leave_if_fork(None)
        flush_output()
        quoted_id = json_text.quote(request_id).encode()
        self._channel.send(kind, b'{"requestId":%s%s}' % (quoted_id, header), body)
        self._deliver_compiled()

    def _deliver_compiled(self) -> None:
        """After the first answer, in one go: before anything of the function runs again."""
        pieces = self._compiled.take_collected() or ()
        for number, piece in enumerate(pieces, 1):
            header = b'{"last":true}' if number == len(pieces) else b"{}"
            self._channel.send(frames.CODE_CACHE, header, piece)

    def _prepare_logging(self) -> None:
        def install() -> None:
            from .log_handler import install

            install(self._log)

        if "logging" in sys.modules:
            install()
        sys.meta_path.insert(0, StandardModules(on_logging=install))

    def _unmarshal(self, payload: bytes) -> object:
        try:
            return json_text.loads(str(payload, "utf-8"))
        except Exception as error:
            raise Fault(
                "Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error
            ) from None

    def _marshal(self, result: object) -> bytes:
        if isinstance(result, bytes):
            return result
        try:
            return self._json.dumps(result).encode("utf-8")
        except Exception as error:
            raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error) from None

    def _report(self, error: Exception, request_id: str) -> dict:
        """Logs an error and returns its payload."""
        payload = describe_error(error, request_id)
        self._log.error(payload)
        flush_output()
        return payload

    def _encode_error(self, payload: dict) -> bytes:
        """A message can hold half a surrogate pair, which UTF-8 cannot."""
        try:
            return self._json.dumps(payload).encode("utf-8")
        except UnicodeEncodeError:
            return json_text.JsonWriter(ascii_only=True).dumps(payload).encode("ascii")

    def _leave_if_fork(self, error: Exception | None) -> None:
        """A child that the function forked and that came out of its code must not answer for it."""
        if self._channel.is_owned:
            return
        if error is not None:
            leave_with(error)
        leave(0)


def _writes_ascii(runtime: str) -> bool:
    """Python 3.12 was the first runtime whose results are not escaped to ASCII."""
    try:
        return int(runtime.rsplit(".", 1)[1]) < 12
    except (IndexError, ValueError):
        return False
