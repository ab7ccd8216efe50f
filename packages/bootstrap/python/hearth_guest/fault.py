"""Errors that the runtime finds itself, with the types and messages of AWS's Python client."""

from __future__ import annotations


class Fault(Exception):
    """`error_type` is one of AWS's `Runtime.*` types."""

    def __init__(self, error_type: str, message: str, stack_trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.stack_trace = stack_trace or []
