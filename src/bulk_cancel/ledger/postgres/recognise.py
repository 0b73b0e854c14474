"""Compares a ledger in a database with what this machine has seen of it: a restored dump may be an older one."""

from __future__ import annotations

from bulk_cancel.ledger import high_water
from bulk_cancel.ledger.high_water import Mark, Marks, Recognised, Seen, Unanswered
from bulk_cancel.ledger.postgres.create import LEDGER_ID
from bulk_cancel.ledger.postgres.session import Session
from bulk_cancel.ledger.sqlite.integrity import GENESIS

_WHERE = "A dump, a snapshot or a standby that lags does not have the newest events: restore the newest one."


def recognise(session: Session, marks: Marks | None) -> Recognised:
    """Refuse a ledger that is older than its mark; else renew the mark. Raises LedgerError."""
    if marks is None:
        return Recognised()
    mark, newest = refuse_older(session, marks), _newest(session)
    notice = high_water.unseen(session.place, newest.number) if mark is None and newest.number else ""
    return Recognised(notice, marks.keep(_id(session), session.place, newest))


def refuse_older(session: Session, marks: Marks) -> Mark | None:
    """Raise LedgerError when a ledger is older than its mark, which is returned."""
    mark = marks.of(_id(session))
    if mark is not None and mark.seen.number:
        found = session.rows("seal_of", mark.seen.number)
        digest = str(found[0][0]) if found else None
        high_water.refuse_older(session.place, mark, _newest(session).number, digest, ("", _WHERE))
    return mark


def own_mark(session: Session, marks: Marks) -> Mark | None:
    """Return what this machine has seen of a ledger."""
    return marks.of(_id(session))


def _newest(session: Session) -> Seen:
    newest, open_ones = session.rows("newest_event"), session.rows("last_unanswered")
    number, digest = newest[0] if newest else (0, GENESIS)
    return Seen(number, digest, Unanswered(*open_ones[0]) if open_ones else Unanswered())


def _id(session: Session) -> str:
    found = session.rows("get_meta", LEDGER_ID)
    return str(found[0][0]) if found else ""
