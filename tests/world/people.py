"""Other people: colleagues who cancel, move, hand over, delete and hide appointments while the program is at work."""

from __future__ import annotations

from collections.abc import MutableMapping

from bulk_cancel.core.credential import Credential
from bulk_cancel.core.model import Target
from world.api import Api
from world.truth import OTHER_HOST, Meeting

_DEEDS = ("cancel", "cancel", "move", "move to now", "hand over", "delete", "hide")


def send_colleagues(api: Api, tokens: MutableMapping[str, str]) -> None:
    """Have them do what the seed says, at their times. `tokens` are what the program finds in its environment."""
    if api.scenario.has("people"):
        for meeting in list(api.truth.meetings.values()):
            _send_colleague(api, meeting)
    if api.scenario.has("revoked"):
        _send_administrator(api, tokens)


def _send_administrator(api: Api, tokens: MutableMapping[str, str]) -> None:
    """Have a key taken away and given back, or replaced by another one: of one account, or of all."""
    rng = api.scenario.chance.of("revoked")
    names = sorted(tokens)
    chosen = names if rng.random() < 0.4 else [rng.choice(names)]
    is_new = rng.random() < 0.5

    def revoke() -> None:
        if not api.calm:
            api.revoked |= {Credential(tokens[name]).fingerprint for name in chosen}
            api.note("key", "revoked", *chosen)

    def renew() -> None:
        if is_new:
            tokens.update({name: f"{tokens[name]}-new" for name in chosen})
        elif not api.calm:
            api.revoked.clear()
        api.note("key", "replaced" if is_new else "renewed", *chosen)

    api.clock.at(rng.uniform(0, 100), revoke)
    api.clock.at(rng.uniform(100, 8000), renew)


def _send_colleague(api: Api, meeting: Meeting) -> None:
    rng = api.scenario.chance.of("colleague", meeting.appointment_id)
    if rng.random() > max(0.1, api.scenario.level):
        return
    deed, when = (
        rng.choice(_DEEDS),
        rng.choice((rng.uniform(0, 3), rng.uniform(0, 60), rng.uniform(0, 900), rng.uniform(0, 9000))),
    )
    api.clock.at(when, lambda: _do(api, meeting, deed))


def _do(api: Api, meeting: Meeting, deed: str) -> None:
    if api.calm or meeting.is_gone():
        return
    now, before = api.clock.now, meeting.document()
    api.count(f"a colleague: {deed}")
    api.note("colleague", deed, meeting.appointment_id)
    match deed:
        case "cancel":
            api.truth.apply(meeting.appointment_id, None, None, by="host")
            return
        case "move":
            meeting.starts_at = now + 3 * 86400
        case "move to now":
            meeting.starts_at = now + 30
        case "hand over":
            meeting.hosts = (OTHER_HOST,)
        case "delete":
            meeting.deleted_at = now
        case "hide":
            meeting.hidden_at = now
    after = meeting.document()
    if (after.start, after.host_ids) != (before.start, before.host_ids):  # to the same second is no move for anybody
        meeting.moved_at = now
    api.truth.changed(meeting)


def postpone(api: Api, run: int) -> None:
    """Have colleagues hold later what was past when the run looked."""
    rng = api.scenario.chance.of("postponed", run)
    for meeting in list(api.truth.meetings.values()):
        if rng.random() < 0.7 and meeting.starts_at < api.clock.now:
            _do(api, meeting, "move")


def hide_groups(api: Api) -> None:
    """Have colleagues hide some groups, whatever has become of them."""
    for meeting in api.truth.meetings.values():
        is_hidden = api.scenario.chance.of("hidden", meeting.appointment_id).random() < 0.5
        if meeting.is_group and meeting.hidden_at is None and is_hidden:
            meeting.hidden_at = api.clock.now
            api.note("colleague", "hide", meeting.appointment_id)


def comes_again_s(api: Api, settles_at: float | None, usual_s: float, run: int) -> float:
    """Return after how long the operator comes again: at once in haste, or when a settle time is nearly over."""
    rng = api.scenario.chance.of("comes again", run)
    if api.scenario.has("haste") and rng.random() < 0.7:
        return 0.0
    if settles_at is not None and api.scenario.has("punctual"):
        return max(0.0, settles_at - api.clock.now - rng.choice((0.0, 2.0, 6.0, 16.0)))
    return usual_s


def is_gone(api: Api, target: Target) -> bool:
    """Look at an appointment as a person does, who sees what is true."""
    meeting = api.truth.meetings[target.appointment_id]
    is_whole = not target.entire_series or not any(api.truth.siblings(meeting))
    return not meeting.exists or (meeting.gone_since(target.attendee_id) is not None and is_whole)
