"""The fields of queries and bodies, checked as the API checks them: a refusal names every wrong one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from bulk_cancel.sandbox.refusal import Refused, invalid


class Fields(BaseModel):
    """Named as in Python here and in camel case in a request. No other field is allowed."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Page(Fields):
    """The part of a list that is asked for."""

    page: int = 0
    page_size: int = 10


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


F = TypeVar("F", bound=Fields)
Moment = Annotated[datetime, BeforeValidator(_moment)]
Uuid = Annotated[str, StringConstraints(pattern="(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", to_lower=True)]


def read_fields(model: type[F], given: Mapping[str, str] | bytes) -> F:
    """Return the fields of a query, or of a JSON body. Refused with a 400."""
    try:
        return model.model_validate_json(given) if isinstance(given, bytes) else model.model_validate({**given})
    except ValidationError as error:
        wrong = dict(sorted(_told(found["loc"], found) for found in error.errors() if found["loc"]))
        raise (invalid(wrong) if wrong else Refused(400, "The body is not a JSON object")) from None


def _told(place: tuple[int | str, ...], error: Any) -> tuple[str, str]:
    name = str(place[0])
    unknown = error["type"] == "extra_forbidden"
    return name, f"property {name} should not exist" if unknown else f"{name} is wrong: {error['msg']}"
