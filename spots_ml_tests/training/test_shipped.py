"""What ships is measured: the blend at its weights, the filter, the threshold, beside the app's own formula."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from spots_ml.estimates.agents import Agents, Resampling
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.keeping.snapshot import write_snapshot
from spots_ml.interactions.learning.dataset import LabelledRows, labelled_rows
from spots_ml.interactions.learning.splits import TEST, split_rows
from spots_ml.interactions.learning.validation import build_dataset, load_dataset
from spots_ml.scoring.decision_effect import measure_effect
from spots_ml.scoring.formula import formula_score
from spots_ml.training.config import TrainingConfig
from spots_ml.training.evaluation import evaluate
from spots_ml.training.model import TrainedModel, train_model
from spots_ml.training.shipped import FILTERED, FORMULA, Decided, measure_decisions, shipped_by
from spots_ml_tests.models.third_kind import TREND, declaring


@pytest.fixture(name="test_rows", scope="module")
def part_for_tests(rows: LabelledRows, split: np.ndarray) -> LabelledRows:
    return rows.take(split == TEST)


def test_what_ships_is_the_blend_at_both_weights_beside_the_formula(
    calling_score: TrainedModel, test_rows: LabelledRows
) -> None:
    shipped = calling_score.evaluation.shipped
    assert list(shipped) == ["hybrid_at_0.1", "hybrid_at_0.3", "formula"]
    formula, network = formula_score(test_rows.features).score, calling_score.predict(test_rows.features)
    for weight in (0.1, 0.3):
        blend = (1 - weight) * formula + weight * network.astype(float)
        one = shipped[f"hybrid_at_{weight}"]
        assert one.numbers["mse"].value == pytest.approx(np.mean((blend - test_rows.outcome_score) ** 2), rel=1e-6)
        assert one.numbers["called_share"].value == pytest.approx(np.mean(blend >= 0.7))
        called = blend >= 0.7
        if called.any():
            assert one.numbers["precision"].value == pytest.approx(test_rows.positive[called].mean())
        difference = np.mean((blend - test_rows.outcome_score) ** 2 - (formula - test_rows.outcome_score) ** 2)
        assert one.more_than_formula["mse"].value == pytest.approx(difference, rel=1e-5)
    assert calling_score.metrics["mse_hybrid_at_0.1"] == shipped["hybrid_at_0.1"].numbers["mse"].value
    assert not shipped[FORMULA].more_than_formula


def test_an_outcome_model_ships_as_a_filter_of_the_formulas_calls() -> None:
    formula = np.array([0.9, 0.9, 0.75, 0.2])
    decided = shipped_by("outcome", np.array([0.9, 0.5, 0.8, 0.9]), formula)
    assert list(decided) == [FILTERED, FORMULA]
    assert decided[FORMULA].called.tolist() == [True, True, True, False]
    # 0.9 x 0.9 is a call, 0.5 is blocked, 0.75 x 0.8 falls below the threshold.
    assert decided[FILTERED].called.tolist() == [True, False, False, False]
    blocked = decided[FILTERED].blocked
    assert blocked is not None
    assert blocked.tolist() == [False, True, False, False]


def test_the_blocked_share_is_that_of_the_gate_on_the_decision(test_rows: LabelledRows) -> None:
    generator = np.random.default_rng(5)
    formula, positive = generator.uniform(0.6, 1.0, (2, test_rows.n_rows))
    decided = shipped_by("outcome", positive, formula)
    numbers = measure_decisions(test_rows, decided, Resampling(0, 20))[FILTERED].numbers
    effect = measure_effect(
        Agents.of(test_rows.agent),
        decides=FILTERED,
        against=FORMULA,
        called=decided[FILTERED].called,
        called_before=decided[FORMULA].called,
        would_call=formula >= 0.7,
        resampling=Resampling(0, 20),
    )
    stays = (positive > 0.7) & (formula * positive >= 0.7)
    assert numbers["blocked_share"].value == pytest.approx(np.mean(~stays[formula >= 0.7]))
    assert numbers["blocked_share"] == effect.blocked


def test_a_model_without_a_part_in_the_decision_ships_none() -> None:
    with declaring(TREND):
        assert shipped_by("trend", np.array([0.9]), np.array([0.9])) == {}


def test_differences_pair_agents_and_are_surer_than_the_numbers(test_rows: LabelledRows) -> None:
    generator = np.random.default_rng(3)
    formula = np.clip(test_rows.outcome_score + 0.2 * generator.normal(size=test_rows.n_rows), 0, 1)
    better = 0.9 * formula + 0.1 * test_rows.outcome_score
    both = {"better": Decided(better, better >= 0.7), FORMULA: Decided(formula, formula >= 0.7)}
    found = measure_decisions(test_rows, both, Resampling(0, 200))["better"]
    difference, number = found.more_than_formula["mse"], found.numbers["mse"]
    assert difference.high is not None
    assert difference.low is not None
    assert number.high is not None
    assert number.low is not None
    assert difference.high < 0.0
    assert difference.high - difference.low < 0.5 * (number.high - number.low)


def test_a_precision_of_two_rows_is_never_certain_and_never_told_alone() -> None:
    agent = np.arange(300) // 3
    prediction = np.where(np.arange(300) < 2, 0.9, 0.3)
    rows = LabelledRows(
        features=np.zeros((300, 39), np.float32),
        unknown=np.zeros((300, 39), bool),
        history=np.zeros((300, 6), np.float32),
        agent=agent,
        opportunity=np.full(300, -1),
        scored_at=np.full(300, np.datetime64("NaT", "us")),
        outcome_score=np.where(np.arange(300) % 2 == 0, 0.9, 0.2).astype(np.float32),
        positive=np.arange(300) < 2,
        formula_score=np.full(300, np.nan, np.float32),
    )
    for owners in (agent, np.arange(300)):
        evaluation = evaluate(
            "outcome",
            dataclasses.replace(rows, agent=owners),
            {"network": prediction},
            formula=np.full(300, 0.5),
            prevalence=0.1,
            n_resamples=50,
            seed=0,
        )
        found = evaluation.predictors["network"]["precision_at_filter"]
        assert (found.value, found.n_rows, found.n_agents) == (1.0, 2, len(set(owners[:2])))
        # Two rows of one agent say nothing, of two agents next to nothing.
        assert (found.low, found.high) == (
            (None, None) if found.n_agents == 1 else (pytest.approx(0.1581, abs=1e-4), 1)
        )
        assert "precision_at_filter" not in evaluation.headlines()
        assert "brier" in evaluation.headlines()


def test_on_generated_rows_blend_recorded_score_and_formula_are_three_numbers(tmp_path: Path) -> None:
    snapshot = write_snapshot(SeedLaw().generate(10_000, seed=42), tmp_path / "snapshots")
    report = build_dataset(
        tmp_path / "snapshots", snapshot.digest, tmp_path / "datasets", now=datetime(2026, 11, 25, tzinfo=UTC)
    )
    rows = labelled_rows(load_dataset(tmp_path / "datasets", report.digest)[1])
    split = split_rows(rows.agent, rows.scored_at, seed=0)
    model = train_model(
        rows,
        split,
        "calling_score",
        TrainingConfig(n_resamples=20),
        seed=0,
        dataset_digest=report.digest,
        kind="synthetic",
    )
    found = model.metrics
    errors = [found[f"mse_{name}"] for name in ("hybrid_at_0.1", "recorded_score", "formula")]
    assert errors == pytest.approx([0.0282, 0.0271, 0.0290], abs=0.0004)
    assert model.verdict.measured["mse_formula"] == found["mse_formula"]
    assert "mse_recorded_score" not in model.verdict.measured
