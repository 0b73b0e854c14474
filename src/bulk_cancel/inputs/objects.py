"""Copies an object of a store (s3://, gs://, az://) to a local file, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bulk_cancel.core.text import clean, shown
from bulk_cancel.errors import MISSING, InputError, InputMissingError
from bulk_cancel.inputs.unpack import refuse_bomb, write_blocks

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PIECE = 8 << 20  #: bytes per request: a slow line needs less than the request's 30 s for them


def copy_object(address: str, into: Path) -> Path:
    """Copy the object at an address to a new file and return its path.

    Raises InputMissingError when there is no such object, InputError when it cannot be read or changes meanwhile.
    """
    if find_spec("obstore") is None:
        raise InputError("object stores need an extra", advice='In the checkout: pip install ".[cloud]"')
    from obstore.exceptions import BaseError, NotFoundError, PreconditionError
    from obstore.store import from_url

    scheme, _, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    try:
        return write_blocks(_pieces(from_url(f"{scheme.lower()}://{bucket}"), key), into)
    except (NotFoundError, FileNotFoundError) as error:
        raise InputMissingError(f"{shown(address, 300)} does not exist.", advice=MISSING) from error
    except PreconditionError as error:
        raise InputError("the object changed while it was read", advice="Let whatever writes it finish.") from error
    except (BaseError, ValueError) as error:
        reason = clean(str(error).partition("\n")[0])
        raise InputError(f"cannot be read: {reason}", advice="Check the address and the credentials.") from error


def _pieces(store: ObjectStore, key: str) -> Iterator[bytes]:
    """Yield the bytes of one version of an object: each request names the version that the first one saw."""
    import obstore

    found = obstore.head(store, key)
    size, tag = found["size"], found["e_tag"]
    refuse_bomb(size, size)
    for start in range(0, size, PIECE):
        piece = obstore.get(
            store, key, options={"range": (start, min(start + PIECE, size)), **({"if_match": tag} if tag else {})}
        )
        yield bytes(piece.bytes())
