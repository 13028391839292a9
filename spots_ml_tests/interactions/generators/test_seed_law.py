"""The synthetic source: the seed export's statistics, an exact Bayes prediction, agents with a history."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy import stats

from spots_ml.features.contract import AGENT_VIBES, CONTEXT_FEATURES, OPPORTUNITY_VIBES, TIMING_FEATURES
from spots_ml.features.history import history_features
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.generators.simple_score import simple_score
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.interactions.source import InteractionStream
from spots_ml.models.spec import Target

PUBLISHED_ROWS = 10_000


def table_of(stream: InteractionStream) -> pa.Table:
    return pa.Table.from_batches(stream.batches)


def assert_mean(values: np.ndarray, published: float) -> None:
    """The published mean is one of 10,000 rows: allow four of its standard errors."""
    assert np.mean(values) == pytest.approx(published, abs=4 * np.std(values) / np.sqrt(PUBLISHED_ROWS))


def test_the_published_statistics_of_the_seed_export_are_reproduced(seed_rows) -> None:
    assert_mean(seed_rows.called, 0.9757)
    assert_mean(seed_rows.positive, 0.4213)
    assert_mean(seed_rows.formula_score, 0.6749)
    assert_mean(seed_rows.outcome_score, 0.6638)


@pytest.mark.parametrize("group", [AGENT_VIBES, OPPORTUNITY_VIBES, CONTEXT_FEATURES, TIMING_FEATURES])
def test_every_feature_is_distributed_as_in_the_seed_export(seed_rows, seed_export, group) -> None:
    ours, theirs = seed_rows.group(group), seed_export.group(group)
    for column in range(theirs.shape[1]):
        assert stats.ks_2samp(ours[:20_000, column], theirs[:, column]).statistic < 0.035


def test_opportunities_differ_from_agents_as_in_the_seed_export(seed_rows, seed_export) -> None:
    def difference(rows) -> np.ndarray:
        return (rows.group(OPPORTUNITY_VIBES) - rows.group(AGENT_VIBES)).ravel()

    assert stats.ks_2samp(difference(seed_rows)[:200_000], difference(seed_export)).statistic < 0.01


def test_the_records_score_of_the_seed_export_is_the_simple_score(seed_export) -> None:
    np.testing.assert_allclose(simple_score(seed_export.features), seed_export.formula_score, atol=6e-5)


def test_bayes_is_better_than_every_published_predictor_on_the_seed_export(seed_export) -> None:
    error = np.mean((SeedLaw().bayes_prediction(seed_export.features) - seed_export.outcome_score) ** 2)
    assert error < 0.0224


@pytest.mark.parametrize("target", Target)
def test_bayes_is_unbiased_wherever_it_predicts(seed_rows, target) -> None:
    prediction = SeedLaw().bayes_prediction(seed_rows.features, target)
    observed = seed_rows.outcome_score if target is Target.OUTCOME_SCORE else seed_rows.positive
    order = np.argsort(prediction)
    for part in np.array_split(order, 20):
        standard_error = np.std(observed[part]) / np.sqrt(len(part))
        assert np.mean(observed[part]) == pytest.approx(np.mean(prediction[part]), abs=4.5 * standard_error)


def test_bayes_beats_the_score_and_the_mean(seed_rows) -> None:
    def error(prediction: np.ndarray | float) -> float:
        return float(np.mean((prediction - seed_rows.outcome_score) ** 2))

    bayes = error(SeedLaw().bayes_prediction(seed_rows.features))
    assert bayes < error(seed_rows.formula_score) < error(float(seed_rows.outcome_score.mean()))


def test_history_inputs_do_not_change_the_bayes_prediction(seed_rows) -> None:
    wide = np.hstack([seed_rows.features[:50], np.full((50, 6), 0.3, np.float32)])
    np.testing.assert_array_equal(SeedLaw().bayes_prediction(wide), SeedLaw().bayes_prediction(seed_rows.features[:50]))


def test_batches_follow_the_schema_and_count_positions_without_gaps() -> None:
    table = table_of(SeedLaw().generate(60_001, seed=2))
    assert table.schema.equals(INTERACTIONS)
    assert table["position"].to_numpy().tolist() == list(range(60_001))
    table.validate(full=True)


def test_the_same_seed_gives_the_same_rows_and_another_seed_other_rows_and_ids() -> None:
    first = table_of(SeedLaw().generate(500, seed=3))
    assert first.equals(table_of(SeedLaw().generate(500, seed=3)))
    other = table_of(SeedLaw().generate(500, seed=4))
    assert not first.select(AGENT_VIBES).equals(other.select(AGENT_VIBES))
    assert not set(first["agent_id"].to_pylist()) & set(other["agent_id"].to_pylist())


def test_rows_come_in_order_of_time_and_outcomes_arrive_within_the_period() -> None:
    table = table_of(SeedLaw().generate(5_000, seed=5))
    scored, arrived = table["scored_at"].to_numpy(), table["outcome_at"].to_numpy()
    assert np.all(np.diff(scored) >= np.timedelta64(0))
    assert np.all(arrived > scored)
    assert arrived.max() <= np.datetime64("2026-01-01")


def test_agents_keep_their_vibes_and_come_to_have_a_history() -> None:
    table = table_of(SeedLaw().generate(5_000, seed=6))
    assert len(pc.unique(table["agent_id"])) == 500
    vibes = table.group_by("agent_id").aggregate([(AGENT_VIBES[0], "count_distinct")])
    assert pc.max(vibes[f"{AGENT_VIBES[0]}_count_distinct"]).as_py() == 1
    history = history_features(
        table["agent_id"].combine_chunks().dictionary_encode().indices.to_numpy(),
        table["scored_at"].to_numpy(),
        table["outcome_at"].to_numpy(),
        table["outcome_score"].to_numpy(),
        table["outcome_type"].to_numpy(),
    )
    assert np.mean(history[:, 0] != 0.5) > 0.5
    assert history.std(axis=0).min() > 0.02


def test_with_one_row_per_agent_every_row_is_its_own_agent() -> None:
    table = table_of(SeedLaw(rows_per_agent=1).generate(300, seed=7))
    assert len(pc.unique(table["agent_id"])) == 300


def test_outcomes_can_be_missing_and_then_are_missing_as_a_whole() -> None:
    table = table_of(SeedLaw().generate(10_000, seed=8, labelled_share=0.6))
    missing = [table[name].is_null().to_numpy() for name in ("outcome_type", "outcome_score", "outcome_at")]
    assert np.mean(missing[0]) == pytest.approx(0.4, abs=0.02)
    np.testing.assert_array_equal(missing[0], missing[1])
    np.testing.assert_array_equal(missing[0], missing[2])


def test_outcome_types_follow_the_scores() -> None:
    table = table_of(SeedLaw().generate(10_000, seed=9))
    score, kind = table["outcome_score"].to_numpy(), table["outcome_type"].to_numpy()
    np.testing.assert_array_equal(
        kind, np.where(score >= 0.7, "positive", np.where(score >= 0.4, "neutral", "negative"))
    )


def test_the_record_says_called_exactly_when_its_score_reaches_the_threshold(seed_rows) -> None:
    np.testing.assert_array_equal(seed_rows.called, seed_rows.formula_score >= 0.6)
