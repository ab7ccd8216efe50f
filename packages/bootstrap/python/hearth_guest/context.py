"""The second argument of a handler."""

from __future__ import annotations

import time

from . import json_text
from .fault import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class _Record:
    """Attributes named in `__slots__`, taken from a dictionary; None where it has none."""

    __slots__ = ()

    def __init__(self, values: dict) -> None:
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self) -> str:
        attributes = ",".join("%s=%s" % (name, getattr(self, name)) for name in self.__slots__)
        return "%s([%s])" % (type(self).__name__, attributes)


class Client(_Record):
    """The mobile application that called, as its SDK describes it."""

    __slots__ = (
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


class ClientContext(_Record):
    """What the caller sent as `X-Amz-Client-Context`."""

    __slots__ = ("custom", "env", "client")

    def __init__(self, values: dict) -> None:
        super().__init__(values)
        if self.client is not None:
            self.client = Client(self.client)


class CognitoIdentity(_Record):
    """Who called through Amazon Cognito."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class LambdaContext:
    """The context of one event; names and types are those of AWS's Python client."""

    def __init__(self, init: dict, event: dict, log: Callable[[str], None]) -> None:
        """`init` and `event` are the headers of the INIT and INVOKE frames.

        Raises a Fault where the caller's context is not JSON, AttributeError where it is no object.
        """
        client_context = _parse(event.get("clientContext"), "Client Context")
        identity = _parse(event.get("cognitoIdentity"), "Cognito Identity")
        self.aws_request_id = event["requestId"]
        self.log_group_name = init.get("logGroupName")
        self.log_stream_name = init.get("logStreamName")
        self.function_name = init.get("functionName")
        self.memory_limit_in_mb = init.get("memoryLimitInMB")
        self.function_version = init.get("functionVersion")
        self.invoked_function_arn = event.get("invokedFunctionArn")
        self.client_context = None if client_context is None else ClientContext(client_context)
        self.identity = CognitoIdentity({} if identity is None else _identity_values(identity))
        self.tenant_id = event.get("tenantId")
        self._deadline_ms = event["deadlineMs"]
        self._log = log

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds to the deadline, never below 0."""
        return max(int(self._deadline_ms) - int(time.time() * 1000), 0)

    def log(self, msg: object) -> None:
        """Writes one log event as it is."""
        self._log(str(msg))

    def __repr__(self) -> str:
        names = (
            "aws_request_id",
            "log_group_name",
            "log_stream_name",
            "function_name",
            "memory_limit_in_mb",
            "function_version",
            "invoked_function_arn",
            "client_context",
            "identity",
            "tenant_id",
        )
        return "LambdaContext([%s])" % ",".join("%s=%s" % (n, getattr(self, n)) for n in names)


def _identity_values(identity: dict) -> dict:
    return {
        "cognito_identity_id": identity.get("cognitoIdentityId"),
        "cognito_identity_pool_id": identity.get("cognitoIdentityPoolId"),
    }


def _parse(text: str | None, name: str) -> dict | None:
    if not text:
        return None
    try:
        return json_text.loads(text)  # type: ignore[return-value]
    except Exception as error:
        raise Fault(
            "Runtime.LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (name, error)
        ) from None
