"""Every event and every state has its sentence."""

from __future__ import annotations

import pytest

from bulk_cancel.core.explanations import SENTENCES, STANDINGS, name_of, sentence_of
from bulk_cancel.core.model import Target
from bulk_cancel.core.states import Event, State


@pytest.mark.parametrize("event", Event)
def test_every_event_has_a_sentence(event: Event) -> None:
    plain, told = sentence_of(event, 3, None, ""), sentence_of(event, 3, 502, "Bad {Gateway}")
    assert plain[0].isupper()
    assert plain.endswith(".")
    assert "{" not in plain
    assert ("HTTP 502; Bad {Gateway}" in told) == ("{told}" in SENTENCES[event])


@pytest.mark.parametrize("state", State)
def test_every_state_says_what_follows(state: State) -> None:
    assert all(sentence.endswith(".") for sentence in STANDINGS[state])


def test_a_sentence_about_an_intent_names_the_attempt() -> None:
    assert "no. 3" in sentence_of(Event.INTENT, 3, None, "")


def test_a_cancel_is_told_with_its_reason() -> None:
    assert sentence_of(Event.INTENT, 1, None, "We are closed.").endswith("with the reason “We are closed.”.")
    assert sentence_of(Event.INTENT, 1, None, "").endswith("without a reason.")


def test_a_target_has_a_name() -> None:
    names = {name_of(Target("a")), name_of(Target("a", "b")), name_of(Target("a", None, entire_series=True))}
    assert len(names) == 3
