"""Nobody weighs more than a cap in what decides whether there may be training, and a crowd still does."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.errors import ValidationFailedError
from spots_ml.estimates.caps import capped_share, row_cap
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.judging.weighing import weigh
from spots_ml.interactions.keeping.snapshot import write_snapshot
from spots_ml.interactions.learning.fitness import judge_labels
from spots_ml.interactions.learning.validation import build_dataset
from spots_ml.interactions.source import InteractionStream

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LAST_DAY = pa.scalar(datetime(9999, 12, 1, tzinfo=UTC), pa.timestamp("us", "UTC"))
LOUD = "agent-loud"


def honest(n_rows=10_000):
    """As many agents as a tenth of the rows."""
    return pa.Table.from_batches(SeedLaw().generate(n_rows, seed=5).batches)


def changed(rows, **columns):
    for name, value in columns.items():
        field = rows.schema.field(name)
        values = pa.array(value, field.type) if isinstance(value, list) else pa.repeat(value, rows.num_rows)
        rows = rows.set_column(rows.schema.get_field_index(name), field, values.cast(field.type))
    return rows


def stamped_far_ahead(rows, agent):
    return changed(rows, agent_id=agent, scored_at=LAST_DAY, outcome_at=pa.scalar(None, LAST_DAY.type))


def without_outcome(rows, agent):
    nothing = {name: pa.scalar(None, rows.schema.field(name).type) for name in ("outcome_type", "outcome_score")}
    return changed(rows, agent_id=agent, outcome_at=pa.scalar(None, LAST_DAY.type), **nothing)


def built(tmp_path, *tables):
    table = pa.concat_tables(tables)
    table = table.set_column(0, table.schema.field(0), pa.array(range(table.num_rows), pa.int64()))
    stream = InteractionStream("real", iter(table.to_batches()), "a test")
    snapshot = write_snapshot(stream, tmp_path / "snapshots")
    return build_dataset(tmp_path / "snapshots", snapshot.digest, tmp_path / "datasets", now=NOW)


def test_540_rows_of_one_agent_in_the_year_9999_stop_no_training_and_the_report_names_it(tmp_path):
    report = built(tmp_path, honest(), stamped_far_ahead(honest(540), LOUD))
    assert (report.n_read, report.n_quarantined) == (10_540, 540)
    assert report.broken_share == pytest.approx(0.02, abs=0.001)
    assert report.weighing.heaviest[0].model_dump() == {
        "agent": LOUD,
        "n_rows": 540,
        "n_broken": 540,
        "n_labelled": 0,
        "row_share": 0.051233,
    }
    assert judge_labels(report).passed


def test_the_same_rows_of_many_agents_do_stop_it_and_the_message_says_who_weighs_most(tmp_path):
    agents = [f"agent-{number % 60}" for number in range(600)]
    with pytest.raises(ValidationFailedError, match=r"600 of 10,600 records are broken \(5\.7%.*most records are of"):
        built(tmp_path, honest(), stamped_far_ahead(honest(600), agents))


def test_records_of_nobody_cannot_hide_behind_one_agent(tmp_path):
    nobody = pa.scalar(None, pa.string())
    with pytest.raises(ValidationFailedError, match=r"600 of 10,600 records are broken \(5\.7%"):
        built(tmp_path, honest(), stamped_far_ahead(honest(600), nobody))


def test_10_200_valid_rows_of_one_agent_without_outcomes_stop_no_training(tmp_path):
    report = built(tmp_path, honest(), without_outcome(honest(10_200), LOUD))
    assert report.n_labelled / report.n_accepted < 0.5
    assert report.label_coverage == pytest.approx(0.98, abs=0.001)
    assert judge_labels(report).passed


def test_as_many_of_every_agent_are_too_little_coverage(tmp_path):
    quiet = honest(11_000)
    agents = [f"quiet-{number % 1_000}" for number in range(11_000)]
    verdict = judge_labels(built(tmp_path, honest(), without_outcome(quiet, agents)))
    assert not verdict.passed and "47.6% of 21,000 accepted interactions have an outcome" in verdict.message


def test_labels_of_one_agent_are_not_enough_labels(tmp_path):
    report = built(tmp_path, honest(700), changed(honest(5_000), agent_id=LOUD))
    verdict = judge_labels(report)
    assert (report.n_labelled, verdict.passed) == (5_700, False)
    assert verdict.measured["n_labelled"] == report.n_counted_labels < 800
    assert "are beyond what one agent may weigh" in verdict.message


def test_what_weighs_is_no_part_of_a_dataset_s_digest(tmp_path):
    report = built(tmp_path, honest(1_000))
    assert report.model_copy(update={"weighing": None}).computed_digest() == report.digest
    assert "weighing" not in report.model_copy(update={"weighing": None}).model_dump()


def test_rows_that_are_their_own_agents_are_shares_as_they_always_were():
    broken = np.arange(1_000) < 60
    found = weigh(np.full(1_000, -1), [], broken=broken, accepted=~broken, labelled=np.arange(1_000) >= 500)
    assert (found.n_agents, found.effective_agents, found.heaviest) == (1_000, 1_000.0, ())
    assert (found.broken_share, found.label_coverage, found.n_labelled) == (0.06, pytest.approx(500 / 940), 500)
    assert found.sentence() == "1,000 agents, as many as 1,000.0 equal ones"


def test_nothing_read_weighs_nothing():
    none = np.zeros(0, bool)
    found = weigh(np.zeros(0, np.int64), [], broken=none, accepted=none, labelled=none)
    assert (found.n_agents, found.broken_share, found.label_coverage, found.n_labelled) == (0, 0.0, 0.0, 0)
    assert capped_share(np.zeros(3), np.zeros(3)) is None and row_cap(np.zeros(3)) == 0.0


@pytest.mark.parametrize("equal_shares", [1.0, 2.0])
@pytest.mark.parametrize("max_share", [0.02, 0.3])
def test_the_cap_is_the_largest_with_which_nobody_has_more_than_the_share(max_share, equal_shares):
    generator = np.random.default_rng(0)
    for _ in range(300):
        sizes = generator.integers(1, 1_000, generator.integers(1, 120)) ** generator.integers(1, 3)
        limit = min(max(max_share, equal_shares / len(sizes)), 1.0)
        cap = row_cap(sizes, max_share, equal_shares=equal_shares)
        counted = np.minimum(sizes, cap)
        assert sizes.min() <= cap * (1 + 1e-9) and counted.max() <= limit * counted.sum() * (1 + 1e-6)
        if cap < sizes.max():
            more = np.minimum(sizes, cap * 1.001)
            assert more.max() >= limit * more.sum() * (1 - 1e-6)


def test_with_few_agents_a_share_is_the_mean_of_theirs():
    assert capped_share(np.array([900, 0, 1]), np.array([1_000, 10, 2])) == pytest.approx((0.9 + 0.0 + 0.5) / 3)
