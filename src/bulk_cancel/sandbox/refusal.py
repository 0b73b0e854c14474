"""The refusals of the sandbox, and their JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus


class Refused(Exception):  # noqa: N818  a refusal is an answer of the API, not an error of the sandbox
    """The API answers with an error status and has changed nothing."""

    def __init__(self, status: int, message: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = dict(errors or {})

    def document(self) -> dict[str, object]:
        """The error body as the API words it."""
        body = error_document(self.status, self.message)
        if self.errors:
            body["errors"] = [{"field": field, "message": text} for field, text in self.errors.items()]
        return body


def error_document(status: int, message: str | None = None) -> dict[str, object]:
    """Return the error body of a status, by default with the standard phrase."""
    return {"statusCode": status, "message": message or phrase_of(status), "error": phrase_of(status)}


def phrase_of(status: int) -> str:
    """Return the standard phrase of a status."""
    return HTTPStatus(status).phrase if status in {*HTTPStatus} else "Error"


def invalid(errors: Mapping[str, str]) -> Refused:
    """A 400 that names each wrong field."""
    return Refused(HTTPStatus.BAD_REQUEST, "Validation failed", errors)
