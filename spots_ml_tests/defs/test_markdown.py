"""What comes from outside stays a text on a page."""

import pytest

from spots_ml.defs.pages import tables


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
