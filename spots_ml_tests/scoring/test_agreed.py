"""What the app decides by, and what the decisions in the log were made with: the same for every phone and every row."""

from datetime import UTC, datetime

import numpy as np
import pytest

from spots_ml.features.contract import RAW_FEATURES
from spots_ml.requests.request_schema import TREND_BOOST_RANGE
from spots_ml.scoring.answering.score_table import SCORES
from spots_ml.scoring.confidence import DECIMALS, FARTHEST, LARGEST_FACTOR, N_INPUTS_MAX
from spots_ml.scoring.decision import CALLED_FROM, OUTCOME_ABOVE
from spots_ml.scoring.decision_log.fields import DECISIONS
from spots_ml.scoring.exploration import EXPLORED_FROM, MAX_EXPLORATION, chances
from spots_ml.scoring.fallback import FALLBACK_REASONS
from spots_ml_tests.scoring.deciding import decide

NOW = datetime(2026, 11, 21, tzinfo=UTC)
FEATURES = "4630cd825fc8f4ee848feccfcc5cf063b1152a225906353789aab4faa7831317"


def test_the_app_decides_by_these_numbers():
    assert (CALLED_FROM, OUTCOME_ABOVE, TREND_BOOST_RANGE) == (0.70, 0.70, (-0.1, 0.2))
    assert (EXPLORED_FROM, MAX_EXPLORATION) == (0.5, 0.2)


def test_the_coin_falls_as_it_always_fell():
    moments = np.array(["2026-11-21T10:00:00.001", "2026-11-21T10:00:00"], "datetime64[us]")

    assert chances(["agent-1", "agent-2"], ["spot 1", "spot 2"], moments).tolist() == [
        [0.1903444275555891, 0.4294070336516058],
        [0.03290605071812003, 0.5925589764810438],
    ]


def test_a_decision_keeps_its_id_and_the_digest_of_what_it_was_made_from():
    row = {"agent_id": "agent-1", "opportunity_id": "spot 0", "scored_at": NOW, **dict.fromkeys(RAW_FEATURES, 0.25)}
    served, replayed = (decide([row], now=NOW, origin=origin).to_pylist()[0] for origin in ("served", "replayed"))

    assert served["decision_id"] == "3a980d8a2dbef8749cea317d5a65c600"
    assert replayed["decision_id"] == served["decision_id"]
    assert served["feature_digest"] == replayed["feature_digest"] == FEATURES


DECISION_COLUMNS = (
    "decision_id origin agent_id opportunity_id decided_at group version outcome_version weight formula_score"
    " neural_score outcome_probability score called blocked explored propensity feature_digest past_positive_rate"
    " past_negative_rate average_engagement interaction_count time_since_last_positive activity_level watermark"
    " fallback"
)
ANSWER_COLUMNS = (
    "position agent_id opportunity_id formula_score neural_score outcome_probability score called group version"
    " outcome_version weight blocked explored propensity fallback n_unknown refused"
)


@pytest.mark.parametrize(("table", "names"), [(DECISIONS, DECISION_COLUMNS), (SCORES, ANSWER_COLUMNS)])
def test_the_log_and_the_answers_keep_their_columns_whatever_is_added(table, names):
    assert " ".join(name for name in table.names if name in names.split()) == names


def test_reasons_of_a_fallback_keep_their_names():
    assert " ".join(FALLBACK_REASONS) == (
        "no_version unreadable damaged wrong_contract not_loadable slow failed bad_answer"
    )


def test_a_confidence_profile_is_read_with_the_precision_it_was_written_with():
    assert (N_INPUTS_MAX, LARGEST_FACTOR, DECIMALS, FARTHEST) == (64, 2048.0, 4, 65536.0)
