"""What comes from outside stays a text on a page."""

import pytest

from spots_ml.defs.pages import tables
from spots_ml.estimates.estimate import Estimate


def test_an_interval_in_a_column_of_a_wide_table_stands_in_one_line():
    found = Estimate(value=0.5, low=0.4, high=0.6, method="linearised", n_rows=300, n_agents=20)
    for one in (found, found.model_copy(update={"low": None})):
        shown = tables.interval_in_line(one)
        assert shown.startswith("0.5000") and " " not in shown and "rows" not in shown
    assert tables.interval_in_line(None) == "undefined"


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "[click](http://elsewhere)", "![picture](http://elsewhere)", "a\n| b | c |", "```"],
)
def test_no_markup_comes_of_a_text(text):
    for shown in (
        tables.sentences([text, "x" * 60]).value,
        tables.markdown_table(["said"], [[text]]).value,
    ):
        assert "<script" not in shown.replace("\\<", "")
        assert "](" not in shown
        assert "```" not in shown
    assert len(tables.markdown_table(["said"], [[text]]).value.splitlines()) == 3
