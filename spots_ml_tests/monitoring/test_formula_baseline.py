"""What the formula manages: worked by hand, compared with scikit-learn, kept and read again."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from spots_ml.errors import ArtifactError, InsufficientDataError
from spots_ml.estimates.estimate import Estimate
from spots_ml.features.contract import FEATURES, HISTORY_FEATURES
from spots_ml.interactions.learning.dataset import labelled_rows
from spots_ml.interactions.schema import DATASET
from spots_ml.monitoring.formula_baseline import load_baseline, measure_baseline, save_baseline, targets
from spots_ml.scoring.fallback import outcome_rule
from spots_ml.scoring.formula import formula_score

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def row(agent, recorded, called, outcome, *, hours_ago=100.0, outcome_after=1.0, feature=0.5):
    """One accepted row; `outcome` None: not labelled; `hours_ago` None: no time is known."""
    scored_at = None if hours_ago is None else NOW - timedelta(hours=hours_ago)
    known = outcome is not None and scored_at is not None
    return {
        "position": 0,
        "agent_id": agent,
        "opportunity_id": "o",
        "scored_at": scored_at,
        **dict.fromkeys(FEATURES, feature),
        **dict.fromkeys(HISTORY_FEATURES, feature),
        "formula_score": recorded,
        "is_called": called,
        "outcome_type": None if outcome is None else "positive" if outcome >= 0.7 else "negative",
        "outcome_score": outcome,
        "outcome_at": scored_at + timedelta(hours=outcome_after) if known else None,
    }


def table(rows):
    return pa.Table.from_pylist(rows, schema=DATASET)


def measure(rows, **changes):
    rows = rows if isinstance(rows, pa.Table) else table(rows)
    options = {"dataset_digest": "d" * 64, "kind": "real", "now": NOW, "seed": 1, "n_resamples": 100}
    return measure_baseline(rows, **(options | changes))


def values(found):
    return {name: estimate.value for name, estimate in found.metrics.items()}


HAND_WORKED = [
    row("a", 0.8, True, 0.9),  # a hit, off by 0.1
    row("a", 0.8, True, 0.2),  # called in vain, off by 0.6
    row("b", 0.2, False, 0.9),  # missed, off by 0.7
    row("b", 0.2, False, 0.2),  # rightly not called, off by 0
]


def test_the_recorded_formula_worked_by_hand():
    found = measure(HAND_WORKED).recorded
    assert found.n_rows == 4
    assert values(found) == pytest.approx(
        {"accuracy": 0.5, "precision": 0.5, "recall": 0.5, "f1": 0.5, "mae": 0.35}, abs=1e-6
    )
    assert found.targets == pytest.approx(
        {"accuracy": 0.575, "precision": 0.575, "recall": 0.575, "f1": 0.575, "mae": 0.2975}, abs=1e-6
    )


def test_a_call_counts_as_recorded_even_where_the_recorded_score_says_otherwise():
    found = measure([row("a", 0.65, True, 0.9), row("b", 0.75, False, 0.9)])
    assert found.recorded.metrics["recall"].value == 0.5


def test_the_recomputed_formula_does_not_look_at_what_was_recorded():
    with_features = [row("a", 0.0, False, 0.9, feature=1.0), row("b", 1.0, True, 0.2, feature=0.1)]
    found = measure(with_features)
    assert values(found.recomputed)["accuracy"] == 1.0
    assert values(found.recorded)["accuracy"] == 0.0
    expected = formula_score(np.array([[1.0] * 39, [0.1] * 39], np.float32)).score
    assert values(found.recomputed)["mae"] == pytest.approx(np.abs(expected - [0.9, 0.2]).mean(), abs=1e-6)


def test_records_without_a_score_or_a_call_are_left_out_of_the_recorded_formula_alone():
    found = measure([*HAND_WORKED, row("c", None, True, 0.9), row("c", 0.5, None, 0.9)])
    assert (found.recorded.n_rows, found.recomputed.n_rows, found.n_labelled) == (4, 6, 6)


def test_without_any_recorded_score_the_recorded_formula_is_undefined_and_has_no_targets():
    found = measure([row("a", None, None, 0.9), row("b", None, None, 0.1)])
    assert set(values(found.recorded).values()) == {None}
    assert found.recorded.targets == {}
    assert found.recomputed.targets


def test_only_matured_labelled_rows_count():
    found = measure(
        [
            *HAND_WORKED,
            row("c", 0.9, True, 0.9, hours_ago=47),  # young
            row("c", 0.9, True, 0.9, outcome_after=49),  # late
            row("c", 0.9, True, None),  # no outcome
        ]
    )
    assert (found.n_rows, found.n_matured, found.n_labelled, found.n_agents) == (7, 6, 4, 2)
    assert values(found.recorded) == values(measure(HAND_WORKED).recorded)


def test_rows_without_a_time_count_and_are_counted():
    found = measure([row("a", 0.8, True, 0.9, hours_ago=None), row("b", 0.2, False, 0.1)])
    assert (found.n_labelled, found.n_without_time) == (2, 1)


def test_nothing_matured_and_labelled_is_told_with_the_numbers():
    with pytest.raises(InsufficientDataError, match=r"none of 2 rows .*\(1 matured, 1 labelled\).* 48 hours old"):
        measure([row("a", 0.8, True, 0.9, hours_ago=1), row("b", 0.8, True, None)])


@pytest.fixture(scope="module")
def generated():
    generator = np.random.default_rng(11)
    rows = []
    for place in range(600):
        score = float(generator.uniform(0.3, 1.0))
        made = row(f"agent-{place % 40}", score, score >= 0.7, float(np.clip(score + generator.normal(0, 0.2), 0, 1)))
        made |= {name: float(generator.random()) for name in (*FEATURES, *HISTORY_FEATURES)}
        made |= dict.fromkeys(("past_positive_rate", "vibe_compatibility"), round(score, 1))
        rows.append(made)
    return table(rows)


def test_scikit_learn_finds_the_same_numbers(generated):
    rows = labelled_rows(generated)
    found = measure(generated)
    called = generated["is_called"].to_numpy()
    assert values(found.recorded) == pytest.approx(
        {
            "accuracy": (called == rows.positive).mean(),
            "precision": precision_score(rows.positive, called),
            "recall": recall_score(rows.positive, called),
            "f1": f1_score(rows.positive, called),
            "mae": np.abs(rows.formula_score - rows.outcome_score).mean(),
        },
        abs=1e-6,
    )
    probability = outcome_rule(rows.inputs("outcome"))
    assert values(found.outcome_rule) == pytest.approx(
        {
            "accuracy": ((probability > 0.7) == rows.positive).mean(),
            "auc": roc_auc_score(rows.positive, probability),
        },
        abs=1e-6,
    )


def test_every_defined_number_has_an_interval_around_it(generated):
    found = measure(generated)
    for part in (found.recorded, found.recomputed, found.outcome_rule):
        for estimate in part.metrics.values():
            assert estimate.low <= estimate.value <= estimate.high
            assert estimate.low < estimate.high


def test_targets_of_shares_stop_at_one_and_errors_fall():
    metrics = {name: Estimate(value=0.9, low=None, high=None) for name in ("accuracy", "mae")}
    assert targets(metrics, 0.2) == {"accuracy": 1.0, "mae": 0.72}


def test_a_baseline_is_kept_under_the_digest_of_its_content_once(tmp_path):
    found = measure(HAND_WORKED)
    digest = save_baseline(found, tmp_path)
    assert save_baseline(measure(HAND_WORKED, now=NOW + timedelta(days=9)), tmp_path) == digest
    assert [path.name for path in tmp_path.iterdir()] == [f"{digest}.json"]
    assert load_baseline(tmp_path, digest) == found


def test_a_baseline_that_was_altered_missing_or_swapped_is_refused(tmp_path):
    digest = save_baseline(measure(HAND_WORKED), tmp_path)
    path = tmp_path / f"{digest}.json"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"0.575", b"0.475", 1))
    with pytest.raises(ArtifactError, match="materialise formula_baseline again"):
        load_baseline(tmp_path, digest)
    (tmp_path / f"{'0' * 64}.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=f"holds the baseline {digest}"):
        load_baseline(tmp_path, "0" * 64)
    with pytest.raises(ArtifactError, match="No such file"):
        load_baseline(tmp_path, "1" * 64)
