"""`decision.json` and the reference rules: complete, and every number in them matters."""

import copy
import importlib.util
import itertools
import json
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.features.history import NO_HISTORY
from spots_ml.release.client_kit.history_lines import history_lines
from spots_ml.release.client_kit.kit import FILES_DIR

NUDGE = 2e-4
NOT_IN_LINES = {
    ("schema_version",),
    ("parity",),
    ("decision", "trend_boost_range"),
    ("decision", "examples"),
    ("groups", "byte"),
}
"""What says how the app makes a record, not what follows from one; and what other tests are about."""


@pytest.fixture(scope="module")
def check(whole_kit) -> Iterator[ModuleType]:
    """The kit's checker, loaded into this process."""
    sys.path.insert(0, str(FILES_DIR))
    try:
        spec = importlib.util.spec_from_file_location("kit_check", FILES_DIR / "check.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(FILES_DIR))
        sys.modules.pop("rules", None)


@pytest.fixture(scope="module")
def rules(whole_kit) -> dict[str, Any]:
    return dict(json.loads((whole_kit[0] / "decision.json").read_bytes()))


def numbers(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from numbers(value, (*path, key))
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield path


def nudged(document: Any, path: tuple[Any, ...], by: float) -> Any:
    changed = copy.deepcopy(document)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] += by if isinstance(parent[path[-1]], float) else (1 if by > 0 else -1)
    return changed


def test_every_number_of_the_rules_matters(check, rules, whole_kit):
    """One after the other is changed a little, up and down; each time some golden line or example differs."""
    directory, _ = whole_kit
    tested = [path for path in numbers(rules) if not any(path[: len(one)] == one for one in NOT_IN_LINES)]
    unnoticed = []
    for path, by in itertools.product(tested, (-NUDGE, NUDGE)):
        comparison = check.Comparison(rules["parity"])
        check.check_kit(directory, comparison, nudged(rules, path, by))
        if not comparison.findings:
            unnoticed.append((path, by))
    assert unnoticed == []
    assert len(tested) > 40


def test_the_checker_is_loaded_from_the_very_files_of_the_kit(whole_kit):
    for name in ("check.py", "rules.py", "check.mjs", "rules.mjs", "package.json"):
        assert (whole_kit[0] / name).read_bytes() == (FILES_DIR / name).read_bytes()


def test_history_normalisation_is_told_as_it_is_computed(rules):
    from spots_ml.features import history

    assert rules["history"] == {
        "if_unknown": {
            "past_positive_rate": 0.5,
            "past_negative_rate": 0.5,
            "average_engagement": 0.5,
            "interaction_count": 0.0,
            "time_since_last_positive": 0.5,
            "activity_level": 0.5,
        },
        "interaction_count_cap": history.INTERACTION_COUNT_CAP,
        "recency_cap_days": history.RECENCY_CAP_DAYS,
        "activity_window_days": history.ACTIVITY_WINDOW_DAYS,
        "activity_cap": history.ACTIVITY_CAP,
        "time_since_last_positive_if_never_positive": 1.0,
    }


def test_history_lines_hold_every_rule_at_its_edges_and_both_kinds_of_agents():
    lines = history_lines()
    assert len(lines) == len({line["situation"] for line in lines}) >= 40
    features = [line["history_features"] for line in lines]
    for name, if_unknown in zip(HISTORY_FEATURES, NO_HISTORY, strict=True):
        values = {feature[name] for feature in features}
        assert if_unknown in values and len(values) > 5, name
    assert max(feature["interaction_count"] for feature in features) == 1.0


def test_every_reason_to_fall_back_is_told(rules):
    from spots_ml.scoring.fallback import FALLBACK_REASONS

    assert tuple(rules["fallback_reasons"]) == FALLBACK_REASONS


def test_the_examples_of_the_decision_are_at_the_edges(rules):
    examples = rules["decision"]["examples"]

    assert any(one["score"] == rules["decision"]["called_from"] and one["called"] for one in examples)
    assert any(one["outcome_probability"] == rules["decision"]["outcome_above"] and one["blocked"] for one in examples)
    assert any(one["score"] == 1.0 for one in examples)
    assert any(one["neural_score"] is None and one["weight"] > 0 for one in examples)
    assert any(one["blocked"] and one["score"] == one["hybrid_score"] and not one["called"] for one in examples)
