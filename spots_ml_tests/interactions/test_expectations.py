"""The suite holds on what validation accepts, and not on rows that were altered since."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pytest

from spots_ml.interactions.learning.expectations import check_expectations
from spots_ml.interactions.learning.fitness import judge_expectations
from spots_ml.interactions.learning.validation import load_dataset


@pytest.fixture
def dataset(tmp_path, make_record, write_export, build):
    report = build(write_export([make_record(number) for number in range(60)]))
    return load_dataset(tmp_path / "datasets", report.digest)


def replaced(column: str, value: object) -> Callable[[pa.Table], pa.Table]:
    def replace(rows: pa.Table) -> pa.Table:
        values: list[Any] = rows[column].to_pylist()
        values[3] = value
        index = rows.schema.get_field_index(column)
        return rows.set_column(
            index, rows.schema.field(index).with_nullable(True), pa.array(values, rows.schema.field(index).type)
        )

    return replace


ALTERED = {
    "a value above one": (replaced("network_effects", 1.01), "expect_column_max_to_be_between(network_effects)"),
    "a value below zero": (replaced("past_positive_rate", -0.5), "expect_column_min_to_be_between(past_positive"),
    "an infinite value": (replaced("vibe_compatibility", float("inf")), "max_to_be_between(vibe_compatibility)"),
    "an unknown history": (replaced("activity_level", None), "not_be_null(activity_level)"),
    "an outcome type of its own": (replaced("outcome_type", "great"), "to_be_in_set(outcome_type)"),
    "a position twice": (replaced("position", 0), "to_be_unique(position)"),
    "a row less": (lambda rows: rows.slice(1), "row_count_to_equal(table): 59"),
    "a column less": (lambda rows: rows.drop_columns(["novelty_match"]), "columns_to_match_ordered_list(table)"),
}


def test_accepted_rows_meet_every_expectation_and_leave_data_docs(tmp_path, dataset) -> None:
    report, rows = dataset
    results = check_expectations(report, rows, docs_dir=tmp_path / "docs")
    assert judge_expectations(results).passed
    assert all(result.passed for result in results)
    assert {result.severity for result in results} == {"critical", "warning"}
    index = (tmp_path / "docs" / "index.html").read_text()
    pages = list((tmp_path / "docs" / "validations").rglob("*.html"))
    assert len(pages) == 1 and "network_effects" in pages[0].read_text()
    assert str(pages[0].relative_to(tmp_path / "docs")) in index


def test_data_docs_refer_to_nothing_outside_of_their_folder(tmp_path, dataset) -> None:
    report, rows = dataset
    check_expectations(report, rows, docs_dir=tmp_path / "docs")
    pages = list((tmp_path / "docs").rglob("*.html"))
    assert len(pages) == 3
    for page in pages:
        html = page.read_text()
        # An XML namespace is a name, which nobody asks for.
        assert not re.findall(r"https?:(?!//www\.w3\.org)|src=.?//|@import", html), page
        assert "Content-Security-Policy" in html and "default-src 'none'" in html
        for target in re.findall(r'(?:href|src)="([^"#]+)"', html):
            assert (page.parent / unquote(target)).exists(), (page, target)


@pytest.mark.filterwarnings("ignore:invalid value")  # the deviation of an infinite value
@pytest.mark.parametrize(("alter", "found"), ALTERED.values(), ids=ALTERED.keys())
def test_altered_rows_are_refused_by_name(dataset, alter, found) -> None:
    report, rows = dataset
    verdict = judge_expectations(check_expectations(report, alter(rows)))
    assert not verdict.passed
    assert found in verdict.message


def test_a_derived_feature_that_never_varies_is_a_warning(dataset) -> None:
    report, rows = dataset
    index = rows.schema.get_field_index("energy_match")
    constant = rows.set_column(index, "energy_match", pa.array([0.5] * len(rows), pa.float32()))
    results = check_expectations(report, constant)
    assert judge_expectations(results).passed
    assert [(each.column, each.severity) for each in results if not each.passed] == [("energy_match", "warning")]


def test_rows_without_formula_score_or_label_meet_the_expectations(tmp_path, make_record, write_export, build) -> None:
    unknown = {"outcome_type": None, "outcome_score": None, "outcome_timestamp": None}
    records = [make_record(n, formula_calling_score=None, **unknown) for n in range(20)]
    report, rows = load_dataset(tmp_path / "datasets", build(write_export(records)).digest)
    assert judge_expectations(check_expectations(report, rows)).passed
