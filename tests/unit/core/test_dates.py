"""Dates in names of files: filled in for a day, or refused with a sentence."""

from __future__ import annotations

from datetime import date

import pytest

from bulk_cancel.core.dates import fill_dates

DAY = date(2028, 2, 29)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("closures/{today:%Y-%m-%d}.csv", "closures/2028-02-29.csv"),
        ("{today}", "2028-02-29"),
        ("{yesterday:%d.%m.%y}/{tomorrow:%j}", "28.02.28/061"),
        ("week-{today:%G-W%V-%u}", "week-2028-W09-2"),
        ("no dates at all", "no dates at all"),
        ("{{today}} 100%", "{today} 100%"),
        ("{today:%Y%%}", "2028%"),
    ],
)
def test_a_date_is_filled_in(text: str, filled: str) -> None:
    assert fill_dates(text, DAY) == filled


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{now:%Y}", "there is no date {now}; there are {today}, {tomorrow}, {yesterday}"),
        ("{location}", "there is no date {location}"),
        ("{}", "there is no date {}"),
        ("{today!r}", "there is no date"),
        ("{today.year}", "there is no date {today.year}"),
        ("{today:%H}", "%H in it"),
        ("{today:%}", "% in it"),
        ("{today:Y-m-d}", "it has no %"),
        ("{today:%Y", "the braces do not match"),
        ("today}", "the braces do not match"),
    ],
)
def test_a_text_that_is_not_a_date_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        fill_dates(text, DAY)
    assert complaint in str(caught.value)
