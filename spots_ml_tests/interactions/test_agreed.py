"""Words and digests that datasets, quarantines and reports were written with, and that scripts and people look for."""

import numpy as np
import pytest

from spots_ml.digests import canonical_json, digest_bytes, digest_json, seal
from spots_ml.features.contract import FEATURES_AND_HISTORY, RAW_FEATURES
from spots_ml.interactions.judging.rules import REASONS, ValidationConfig
from spots_ml.interactions.kinds import SOURCE_KINDS
from spots_ml.interactions.learning.fitness import SufficiencyConfig
from spots_ml.interactions.learning.split_rules import NO_CAPS, SplitRules
from spots_ml.interactions.learning.splits import OVER_CAP, PARTS, PURGED, TEST, TRAIN, VALIDATION, split_rows
from spots_ml.interactions.schema import DATASET, INTERACTIONS, OUTCOME_TYPES, QUARANTINE

WHO_AND_WHEN = "position agent_id opportunity_id scored_at"
LABELS = "formula_score is_called outcome_type outcome_score outcome_at first_outcome_at"


def test_the_reasons_of_a_quarantine_keep_their_names_and_order():
    assert " ".join(REASONS) == (
        "malformed_record invalid_encoding missing_key unknown_key conflicting_keys wrong_type not_finite out_of_range"
        " empty_id invalid_timestamp timestamp_without_zone timestamp_in_future outcome_before_interaction"
        " unknown_outcome_type incomplete_outcome outcome_contradicts_score derived_mismatch duplicate too_large"
    )


def test_tables_keep_the_names_of_their_columns():
    raw, all_features = " ".join(RAW_FEATURES), " ".join(FEATURES_AND_HISTORY)

    assert " ".join(INTERACTIONS.names) == f"{WHO_AND_WHEN} {raw} {LABELS} record problems"
    assert " ".join(DATASET.names) == f"{WHO_AND_WHEN} {all_features} {LABELS}"
    assert " ".join(QUARANTINE.names) == "position reasons details record"


def test_kinds_outcomes_and_parts_keep_their_names_and_numbers():
    assert SOURCE_KINDS == ("synthetic", "hybrid", "real")
    assert OUTCOME_TYPES == ("positive", "neutral", "negative")
    assert dict(zip(PARTS, range(3), strict=True)) == {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    assert (TRAIN, VALIDATION, TEST, PURGED, OVER_CAP) == (0, 1, 2, -1, -2)


@pytest.mark.parametrize(
    ("timed", "n_rows", "digest"),
    [
        (True, [1098, 1319, 281, 302], "906f319a5fc1d3c809d02cae3c6916f545e390fced08a659098406ca949eec7f"),
        (False, [0, 2105, 463, 432], "a9a18b57914d46909dda6cfb1c620359392795e4e6412813fcadfc445256e2c2"),
    ],
)
def test_the_same_agents_are_split_as_they_always_were(timed, n_rows, digest):
    hours = np.arange(3_000) * 7_919 % 3_000 * np.timedelta64(1, "h")
    scored_at = np.datetime64("2026-01-01", "us") + hours if timed else np.full(3_000, np.datetime64("NaT", "us"))
    split = split_rows(np.arange(3_000) ** 2 % 97, scored_at, seed=42, rules=NO_CAPS)

    assert np.bincount(split - PURGED).tolist() == n_rows
    assert digest_bytes(split.tobytes()) == digest


def test_the_caps_of_a_split_are_these():
    assert SplitRules().model_dump() == {
        "max_agent_share": 0.02,
        "max_rows_per_pair": 1,
        "min_agents": 8,
        "min_effective_agents": 5.0,
    }


def test_the_thresholds_are_these_and_a_dataset_s_digest_names_them():
    assert ValidationConfig().model_dump() == {
        "max_broken_share": 0.05,
        "clock_skew_s": 300,
        "positive_from": 0.7,
        "neutral_from": 0.4,
        "neutral_from_not_called": 0.3,
    }
    assert ValidationConfig().digest() == "b6f889e3d696a36d97774ca5a4f101d8aae145b3cdaa9c0ed69f6fa11a721f66"
    assert SufficiencyConfig().model_dump() == {
        "min_labelled": 1_000,
        "recommended_labelled": 10_000,
        "min_label_coverage": 0.5,
    }


def test_documents_are_digested_and_sealed_in_the_form_they_always_were():
    document = {"b": [1, 2.5, None, "ü"], "a": True}

    assert canonical_json(document) == '{"a":true,"b":[1,2.5,null,"ü"]}'.encode()
    assert digest_json(document) == "4aa821e015075b4331b37e87963dab08319efe725531c34c26dc86bed09d2d3a"
    assert seal({"a": 1}) == (
        b'{\n  "a": 1,\n  "sha256_of_the_rest": "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"\n}\n'
    )
