"""What goes wrong with a request, by the codes of gRPC that TensorFlow Serving has."""

from __future__ import annotations

from http import HTTPStatus

# Code to HTTP status, as TensorFlow Serving maps them; two of HTTP's own besides.
_STATUS = {
    "INVALID_ARGUMENT": HTTPStatus.BAD_REQUEST,
    "FAILED_PRECONDITION": HTTPStatus.BAD_REQUEST,
    "OUT_OF_RANGE": HTTPStatus.BAD_REQUEST,
    "UNAUTHENTICATED": HTTPStatus.UNAUTHORIZED,
    "PERMISSION_DENIED": HTTPStatus.FORBIDDEN,
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "METHOD_NOT_ALLOWED": HTTPStatus.METHOD_NOT_ALLOWED,
    "REQUEST_TIMEOUT": HTTPStatus.REQUEST_TIMEOUT,
    "ALREADY_EXISTS": HTTPStatus.CONFLICT,
    "TOO_LARGE": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "RESOURCE_EXHAUSTED": HTTPStatus.TOO_MANY_REQUESTS,
    "UNIMPLEMENTED": HTTPStatus.NOT_IMPLEMENTED,
    "UNAVAILABLE": HTTPStatus.SERVICE_UNAVAILABLE,
    "DEADLINE_EXCEEDED": HTTPStatus.GATEWAY_TIMEOUT,
    "INTERNAL": HTTPStatus.INTERNAL_SERVER_ERROR,
}


class ServingError(Exception):
    """A request that cannot be answered.

    Args:
        code: Such as `"INVALID_ARGUMENT"`.
        message: What the client is told.

    Example:

    >>> ServingError("NOT_FOUND", "Servable not found for request: Latest(half)").status
    404
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = int(_STATUS[code])


def invalid(message: str) -> ServingError:
    """An error that is the client's."""
    return ServingError("INVALID_ARGUMENT", message)
