"""The rows of an input for the plan and the ledger, with the blanks of the job's reason filled in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from bulk_cancel.access.setup import Setup
from bulk_cancel.core.actions import Action
from bulk_cancel.core.model import InputRow
from bulk_cancel.core.plan import LookAt, PlanLine
from bulk_cancel.core.readings import Reading
from bulk_cancel.core.template import SEEN_NAMES, NoZoneError, Template, parse_template, seen_values
from bulk_cancel.errors import ConfigError
from bulk_cancel.inputs import StagedInput, read_columns, read_rows

_NAME_ZONE = "Nothing was sent. Name the zone of its readers: --timezone Europe/Berlin, or timezone in the job file."
_NOTHING: Mapping[str, str | None] = {}


def needs_looks(template: Template | None, columns: Collection[str]) -> bool:
    """Return whether a reason has blanks that only a reading can fill in."""
    return template is not None and bool({*SEEN_NAMES}.intersection(template.names) - {*columns})


def template_of(setup: Setup) -> Template | None:
    """Return the job's reason as a template; None when it has no blanks. Raises ConfigError when it cannot be read."""
    reason = setup.job.reason
    if not reason or not set(reason) & set("{}"):
        return None
    try:
        return parse_template(reason, setup.known_zone)
    except ValueError as error:
        raise ConfigError(f"The reason cannot be used: {error}.") from error


@dataclass
class Rows:
    """The rows of a staged input. `seen` has the readings so far, which may fill in blanks."""

    staged: StagedInput
    template: Template | None
    seen: Mapping[str, Reading] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)  #: account -> acting user where a row names none
    _unfit: dict[int, str] = field(default_factory=dict)  #: rows to be sent whose reason cannot be filled in -> why
    _columns: dict[int, Mapping[str, str | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unheard_of = {*(self.template.names if self.template else ())} - {*self._columns_of, *SEEN_NAMES}
        if unheard_of:
            known = ", ".join(self.staged.columns)
            raise ConfigError(
                f"The reason has a blank {{{min(unheard_of)}}}, but the input has no such column.",
                advice=f"It has: {known}. A reading of the appointment also has: {', '.join(SEEN_NAMES)}.",
            )

    @property
    def _columns_of(self) -> Mapping[str, str]:
        """Name of a blank -> the column that fills it in. Those of a correction file go by their older names, too."""
        return {**self.staged.aliases, **{name: name for name in self.staged.columns}}

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how the input was read."""
        return self.staged.notes

    def chunks(self) -> Iterator[list[InputRow]]:
        """Yield the rows, each with its acting user; `look` fills in the reasons for a plan.

        The user is a part of the request: a refusal for one user does not hold for another.
        """
        for rows in self._unfilled():
            yield [self._acting(row) for row in rows] if self.users else rows

    def _acting(self, row: InputRow) -> InputRow:
        if row.user_id is not None or row.problems is not None or row.asked:
            return row
        return row._replace(user_id=self.users.get(row.account or ""))

    def _unfilled(self) -> Iterator[list[InputRow]]:
        if self.template is None:
            yield from read_rows(self.staged)
            return
        names = {name: self._columns_of[name] for name in self.template.names if name in self._columns_of}
        for rows, columns in read_columns(self.staged, [*dict.fromkeys(names.values())]):
            self._columns = {
                row.row: {name: values[column] for name, column in names.items()}
                for row, values in zip(rows, columns, strict=True)
            }
            # Reasons that the columns alone fill in are filled in at once, since the ledger compares reasons.
            yield [self._fit(row) for row in rows] if len(names) == len(self.template.names) else rows

    def filled_chunks(self) -> Iterator[list[InputRow]]:
        """Yield the rows as the ledger gets them."""
        for rows in self.chunks():
            yield [self._fit(row) for row in rows] if self.template else rows

    def look(self, look: LookAt | None) -> LookAt | None:
        """Return a function that reads with `look` and then fills in the reasons."""
        if self.template is None:
            return look
        return lambda lines: [self._filled_line(line) for line in (look(lines) if look else lines)]

    def _filled_line(self, line: PlanLine) -> PlanLine:
        row = self._filled(line.row)
        if row.problems is None or line.action is Action.INVALID:
            return replace(line, row=row)
        if line.action is not Action.CANCEL:
            return line  # it is not sent, so it needs no reason
        why = f"{row.problems}: it could not be read, {line.unread}" if line.unread else row.problems
        self._unfit[row.row] = why
        return replace(line, row=row._replace(problems=why), action=Action.INVALID, why=why)

    def _fit(self, row: InputRow) -> InputRow:
        """Fill in a row's reason for the ledger; only rows that the plan found unfit become invalid."""
        filled = self._filled(row)
        if filled.problems is None:
            return filled
        return filled._replace(problems=self._unfit[row.row]) if row.row in self._unfit else row

    def _filled(self, row: InputRow) -> InputRow:
        if self.template is None or row.problems is not None or row.reason is not None or row.first_row != row.row:
            return row
        if row.asked:  # without a reason, and so again
            return row
        reading = self.seen.get(row.appointment_id or "")
        seen = reading.appointment if reading else None
        own = {name: value for name, value in self._columns.get(row.row, _NOTHING).items() if value}
        try:
            return row._replace(reason=self.template.fill({**seen_values(seen), **own}), reason_given=True)
        except NoZoneError as error:
            raise ConfigError(f"The reason cannot be used: {error}.", advice=_NAME_ZONE) from error
        except ValueError as error:
            return InputRow(row.row, None, None, False, False, None, None, None, str(error))
