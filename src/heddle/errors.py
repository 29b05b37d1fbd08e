"""The closed set of failures that an operation may end in.

Each failure has one HTTP status and one MLflow error code. Whatever else is raised is a bug and
answers 500. Messages say what is wrong, where, and what to do; they are shown to people as they are.
"""

from __future__ import annotations

from typing import ClassVar


class HeddleError(Exception):
    """Base of all failures; ``detail`` holds what a program may want to read."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(self, message: str, **detail: object) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class Invalid(HeddleError):
    """The request is wrong; ``position`` is a character offset where a text was wrong."""

    status = 400
    code = "INVALID_PARAMETER_VALUE"

    def __init__(self, message: str, *, position: int | None = None) -> None:
        if position is None:
            super().__init__(message)
        else:
            super().__init__(message, position=position)
        self.position = position


class Malformed(HeddleError):
    """What came is not HTTP/1.1, or lacks what every request has."""

    status = 400
    code = "BAD_REQUEST"


class TooSlow(HeddleError):
    """A request began and did not go on."""

    status = 408
    code = "BAD_REQUEST"


class HeadTooLarge(HeddleError):
    """A request's address and headers are over their limit."""

    status = 431
    code = "BAD_REQUEST"


class NotFound(HeddleError):
    """No such thing in this workspace, or it may not be seen."""

    status = 404
    code = "RESOURCE_DOES_NOT_EXIST"


class NoSuchCall(HeddleError):
    """The path names no call of this server."""

    status = 404
    code = "ENDPOINT_NOT_FOUND"


class WrongMethod(HeddleError):
    """The path is known, but not with this method."""

    status = 405
    code = "ENDPOINT_NOT_FOUND"


class AlreadyExists(HeddleError):
    """A name or id is taken."""

    status = 400
    code = "RESOURCE_ALREADY_EXISTS"


class Conflict(HeddleError):
    """The state of the thing does not allow the change."""

    status = 409
    code = "RESOURCE_CONFLICT"


class WrongState(HeddleError):
    """The thing is deleted or finished and takes no such change."""

    status = 400
    code = "INVALID_PARAMETER_VALUE"


class Unauthenticated(HeddleError):
    """No or wrong credentials."""

    status = 401
    code = "UNAUTHENTICATED"


class Denied(HeddleError):
    """The actor may not do this."""

    status = 403
    code = "PERMISSION_DENIED"


class TooLarge(HeddleError):
    """A body or a value is over its limit."""

    status = 413
    code = "INVALID_PARAMETER_VALUE"


class NotOffered(HeddleError):
    """The call is known but this deployment cannot do it (as presigned uploads to a local disk)."""

    status = 501
    code = "NOT_IMPLEMENTED"


class Corrupt(HeddleError):
    """Stored bytes are not what was stored; the message names the file."""

    status = 500
    code = "DATA_LOSS"


class Unavailable(HeddleError):
    """The database or the store cannot answer now; trying again later may work."""

    status = 503
    code = "TEMPORARILY_UNAVAILABLE"
