"""Several accounts working on one run: each with its own credential, limit and lines, over one ledger."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import anyio

from bulk_cancel.core.exit_codes import Halt, gravest
from bulk_cancel.core.model import status_of
from bulk_cancel.core.states import UNDERWAY, State
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.context import Context
from bulk_cancel.engine.reconcile import Reconciled
from bulk_cancel.engine.runner import RunEnd, Runner
from bulk_cancel.errors import Exit, LedgerError
from bulk_cancel.ops.progress import Standing
from bulk_cancel.settings.accounts import OWN, label_of


async def work_together(contexts: Sequence[Context], what: Callable[[Runner], Awaitable[RunEnd]]) -> RunEnd:
    """Run all accounts at the same time; a halt of one does not stop the others. Return their common end."""
    ends: dict[str, RunEnd] = {}

    async def work(context: Context) -> None:
        name = context.scope.account
        try:
            ends[name] = await what(Runner(context))
            with suppress(LedgerError):  # it has been reported already
                await context.limiter.finish()
        finally:
            context.order.leave(name)

    async with anyio.create_task_group() as group:
        for context in contexts:
            group.start_soon(work, context)
    return RunEnd(
        _halt_of({name: end.halt for name, end in ends.items() if end.halt}, contexts),
        _sum_of([end.reconciled for end in ends.values()]),
    )


def _sum_of(parts: Sequence[Reconciled]) -> Reconciled:
    return Reconciled(
        settled=sum(part.settled for part in parts),
        sendable=sum(part.sendable for part in parts),
        unknown=sum(part.unknown for part in parts),
        due_in_s=max((part.due_in_s for part in parts), default=0.0),
        undecided=sum(part.undecided for part in parts),
        unverified=[name for part in parts for name in part.unverified],
    )


def _halt_of(halts: Mapping[str, Halt], contexts: Sequence[Context]) -> Halt | None:
    """Return the gravest halt, with the sentences of all accounts, each only once."""
    if not halts:
        return None
    code = gravest(halt.exit_code for halt in halts.values())
    if code is Exit.UNREACHABLE and any(context.counters.posts for context in contexts):
        code = Exit.STOPPED  # UNREACHABLE would mean that nothing was cancelled
    by_sentence: defaultdict[str, list[str]] = defaultdict(list)
    for name, halt in sorted(halts.items(), key=lambda item: (item[1].exit_code is not code, item[0])):
        by_sentence[halt.message].append(name)
    told = " ".join(_told(names, said, len(contexts)) for said, names in by_sentence.items())
    return Halt(code, told, any(halt.for_a_person for halt in halts.values()))


def _told(names: Sequence[str], sentence: str, member_count: int) -> str:
    if ([*names] == [OWN] and member_count == 1) or len(names) == member_count > 1:
        return sentence
    labels = " and ".join(label_of(name) for name in names)
    return f"{labels[:1].upper()}{labels[1:]}: {sentence}"


def standing_of(contexts: Sequence[Context]) -> Standing:
    """Return the progress of all accounts. The time left is that of the slowest."""
    counts: Counter[State] = Counter()
    for context in contexts:
        counts.update({state: count for state, count in context.counters.states.items() if count > 0})
    done = sum(map(_done, contexts))
    total = sum(context.counters.targets + context.counters.unknown for context in contexts)
    sent = sum(context.counters.posts + context.counters.gets for context in contexts)
    left_s = max(context.limiter.duration_s(max(0, context.counters.targets - _done(context))) for context in contexts)
    notes = "; ".join(filter(None, map(_note, contexts)))
    return Standing(min(done, total), total, sent, told_states(counts), left_s, notes)


def told_states(counts: Mapping[State, int]) -> str:
    """Return how many targets have which outcome."""
    return ", ".join(f"{count} {status_of(state)}" for state, count in counts.items() if state not in UNDERWAY)


def _done(context: Context) -> int:
    return sum(count for state, count in context.counters.states.items() if count > 0 and state not in UNDERWAY)


def _note(context: Context) -> str:
    """Return what an account waits for and for how long; empty when it does not wait."""
    if context.counters.waits:
        why, until = context.counters.waits
        left_s = max(0.0, until - context.clock.monotonic())
    elif context.limiter.is_paused:
        why, left_s = "as the API asked", context.limiter.wait_s()
    else:
        return ""
    told, account = f"waiting {show_duration(left_s)} {why}", context.scope.account
    return f"{account}: {told}" if account else told
