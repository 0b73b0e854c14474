"""The rows of an input for the plan and the ledger, with the blanks of the job's reason filled in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bulk_cancel.access.setup import Setup
from bulk_cancel.core.actions import SENT, Action
from bulk_cancel.core.model import InputRow, Target
from bulk_cancel.core.plan import LookAt, PlanLine, decided, target_of
from bulk_cancel.core.readings import Reading
from bulk_cancel.core.template import SEEN_NAMES, NoZoneError, Template, parse_template, seen_values
from bulk_cancel.errors import ConfigError
from bulk_cancel.inputs import StagedInput, read_columns, read_rows, repeated_rows

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
    """The rows of a staged input. `seen` has the readings so far, which may fill in blanks.

    A row that is to be sent and whose reason cannot be filled in is invalid. As any invalid row it names no target for
    others: the next fit row of its target takes its place, in the plan and in the ledger.
    """

    staged: StagedInput
    template: Template | None
    seen: Mapping[str, Reading] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)  #: account -> acting user where a row names none
    _unfit: dict[int, str] = field(default_factory=dict)  #: rows to be sent whose reason cannot be filled in -> why
    _owners: dict[Target, int | None] = field(default_factory=dict)  #: their targets -> who took over; None: nobody yet
    _reasons: dict[int, str | None] = field(default_factory=dict)  #: rows that later rows repeat -> what is mailed
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
            owned = [self._owned(row) for row in rows] if self._owners else rows
            # Reasons that the columns alone fill in are filled in at once, since the ledger compares reasons.
            yield [self._fit(row) for row in owned] if len(names) == len(self.template.names) else owned

    def filled_chunks(self) -> Iterator[list[InputRow]]:
        """Yield the rows as the ledger gets them."""
        for rows in self.chunks():
            yield [self._fit(row) for row in rows] if self.template else rows

    def look(self, look: LookAt | None) -> LookAt | None:
        """Return a function that reads with `look`, then fills in the reasons and compares those of repeated rows."""
        self._reasons = dict.fromkeys(repeated_rows(self.staged))
        if self.template is None and not self._reasons:
            return look

        def filled(lines: Sequence[PlanLine]) -> Sequence[PlanLine]:
            done = [self._filled_line(line) for line in (look(lines) if look else lines)]
            return [self._compared(line) for line in self._inherited(done, look)]

        return filled

    def _compared(self, line: PlanLine) -> PlanLine:
        """Mark a row that names its target again, with another reason: that of the first row is mailed."""
        row = line.row
        if row.row in self._reasons:
            self._reasons[row.row] = row.reason
        if line.action is not Action.SAME or row.reason in (None, self._reasons.get(row.first_row or 0)):
            return line
        return replace(line, row=row._replace(other_reason=True), why=f"{line.why}, with another reason: not mailed")

    def _filled_line(self, line: PlanLine) -> PlanLine:
        row = self._filled(line.row)
        if row.problems is None or line.action is Action.INVALID:
            return replace(line, row=row)
        if line.action not in SENT:
            return line  # it needs no reason
        self._owners[target_of(line.row)] = None
        unread = f": it could not be read, {line.unread}" if line.unread else ""
        return self._unfit_line(line, f"{row.problems}{unread}")

    def _unfit_line(self, line: PlanLine, why: str) -> PlanLine:
        self._unfit[line.row.row] = why
        return replace(line, row=_invalid(line.row, why), action=Action.INVALID, why=why)

    def _inherited(self, lines: list[PlanLine], look: LookAt | None) -> list[PlanLine]:
        """Decide anew what names the target of an unfit row: its first fit row is sent, those before it are unfit."""
        heirs = []
        for place, line in enumerate(lines) if self._owners else ():
            if line.action is not Action.SAME or (target := target_of(line.row)) not in self._owners:
                continue
            if self._owners[target] is None and (why := self._filled(line.row).problems):
                lines[place] = self._unfit_line(line, why)
                continue
            if self._owners[target] is None:
                heirs.append(place)
            lines[place] = decided(self._owned(line.row), line.state)
        if look and heirs:
            for place, line in zip(heirs, look([lines[place] for place in heirs]), strict=True):
                lines[place] = line
        return lines

    def _owned(self, row: InputRow) -> InputRow:
        """Return a row with the first fit row of its target as its first."""
        if row.problems is not None or row.row in self._unfit or (target := target_of(row)) not in self._owners:
            return row
        owner = self._owners[target]
        if owner is None:
            owner = self._owners[target] = row.row
            self._reasons[owner] = None
        return row._replace(first_row=owner)

    def _fit(self, row: InputRow) -> InputRow:
        """Fill in a row's reason for the ledger; only rows that the plan found unfit become invalid."""
        if row.row in self._unfit:
            return _invalid(row, self._unfit[row.row])
        filled = self._filled(row)
        return filled if filled.problems is None else row

    def _filled(self, row: InputRow) -> InputRow:
        if self.template is None or row.problems is not None or row.reason is not None:
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
            return _invalid(row, str(error))


def _invalid(row: InputRow, why: str) -> InputRow:
    return InputRow(row.row, None, None, False, False, None, None, None, why)
