"""Who started a run, where, with which command, and why: one record, shown wherever the run is told of."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace

from bulk_cancel.core.moments import Zone, zone_named
from bulk_cancel.core.text import clean

#: A word of a command as it is typed, with its quotes.
_WORD = re.compile(r"""(?:\$'(?:\\.|[^'\\])*'|'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+""")
#: Options and variables that hold for the input alone, or for the results of one run.
_OF_THE_RUN = ("--out", "--encoding", "BULK_CANCEL_OUT", "BULK_CANCEL_ENCODING", "BULK_CANCEL_INPUT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a run comes from. Empty: not known, or not given."""

    user: str = ""  #: the account of the machine, as its system calls it
    machine: str = ""
    command: str = ""  #: as it can be typed in a shell, without secrets; empty: a Python program started the run
    version: str = ""  #: of the program
    ticket: str = ""
    approved_by: str = ""
    plan_digest: str = ""  #: of the plan file that was carried out
    timezone: str = ""  #: the name of the zone in which people read its times
    how_read: str = ""  #: what is to be known of how its input was read, sentences

    @property
    def zone(self) -> Zone:
        """The zone of that name; None where none is named, or this machine does not know it."""
        return zone_named(self.timezone)

    def after(self, plan: Provenance) -> Provenance:
        """Return it with the ticket, approver and digest of an approved plan where it has none of its own."""
        given = {name: getattr(self, name) or getattr(plan, name) for name in ("ticket", "approved_by", "plan_digest")}
        return replace(self, **given)

    def notes(self, plan: Provenance) -> Iterator[str]:
        """Yield sentences: what differs from an approved plan."""
        for name, what in (("ticket", "ticket"), ("approved_by", "person who approved")):
            here, there = getattr(self, name), getattr(plan, name)
            if there and here not in ("", there):
                yield f"The plan names another {what}: {there}. This run is recorded with {here}."

    def command_for(self, file: str, source: str, new_out: str) -> str:
        """Return the command with `file` in place of the `source` that it named, and all its other options.

        `new_out`: the folder of the results; empty: the usual one. Empty is returned where no such command is known:
        for a plan, which is carried out as it is, a search, and a run of a Python program.
        """
        words = [*_without_own(_WORD.findall(self.command))]
        named = [word for word in words if word in (source, shlex.quote(source))]
        is_job = not named and any(word.strip("'").endswith(".toml") for word in words)
        if self.plan_digest or source.startswith("[") or not (named or is_job):
            return ""
        typed = shlex.quote(file)
        if is_job:
            words.insert(0, f"BULK_CANCEL_INPUT={typed}")
        else:
            words[words.index(named[0])] = typed
        return " ".join((*words, *(("--out", shlex.quote(new_out)) if new_out else ())))

    def document(self) -> dict[str, str]:
        """Return the fields that are not empty, by name."""
        return {name: value for name, value in asdict(self).items() if value}

    def to_json(self) -> str:
        """Return the record as the ledger keeps it: the same provenance gives the same text."""
        return json.dumps(self.document())

    @classmethod
    def from_json(cls, text: str) -> Provenance:
        """Read the record as the ledger keeps it; any other text gives an empty record."""
        known = {field.name for field in fields(cls)}
        try:
            found = json.loads(text).items()
        except (ValueError, AttributeError, RecursionError):
            return cls()
        return cls(**{name: value for name, value in found if name in known and isinstance(value, str)})

    @property
    def told(self) -> str:
        """User, machine, ticket, approver and the plan's digest in one line; empty where none is known."""
        parts = [("by", self._starter), ("ticket", self.ticket), ("approved by", self.approved_by)]
        parts.append(("the plan's digest", self.plan_digest))
        return clean(", ".join(f"{name} {value}" for name, value in parts if value), 600)

    @property
    def _starter(self) -> str:
        return " on ".join(filter(None, (self.user, self.machine)))

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield what is known of it for a person: a name and a value each."""
        told = {
            "Started by": self._starter,
            "Ticket": self.ticket,
            "Approved by": self.approved_by,
            "Plan's digest": self.plan_digest,
            "Command": self.command,
            "Version": self.version,
            "Times are of": self.timezone,
            "How the input was read": self.how_read,
        }
        for name, value in told.items():
            if value:
                yield name, clean(value, 2000) if name != "Command" else value


def _without_own(words: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command but for the options that hold for its own input and results."""
    before = ""
    for word in words:
        if before not in _OF_THE_RUN and word.partition("=")[0] not in _OF_THE_RUN:
            yield word
        before = word
