"""`docs/export.md` says what an export is: its example is one, and it names every key that is read."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from spots_ml.interactions.judging.rules import ValidationConfig, find_problems
from spots_ml.interactions.reading.export import read_export
from spots_ml.interactions.reading.record_layout import (
    ARRAY_NAME,
    DERIVED_KEYS,
    FEATURE_GROUPS,
    OPTIONAL_KEYS,
    PLACEHOLDERS,
    REQUIRED_KEYS,
)

PAGE = Path(__file__).parents[2].joinpath("docs", "export.md").read_text("utf-8")
EXAMPLE = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1]


def test_the_example_is_read_and_accepted_as_it_stands(tmp_path):
    path = tmp_path / "export.json"
    path.write_text(EXAMPLE, "utf-8")
    [batch] = read_export(path).batches
    assert batch["problems"].to_pylist() == [None]
    assert batch["outcome_type"].to_pylist() == ["positive"]
    masks = find_problems(batch, config=ValidationConfig(), now=datetime(2026, 12, 1, tzinfo=UTC))
    assert masks.tolist() == [0]


def test_every_key_that_is_read_is_named():
    [record] = json.loads(EXAMPLE)[ARRAY_NAME]
    assert set(record) <= {*REQUIRED_KEYS, *OPTIONAL_KEYS}
    keys = {*REQUIRED_KEYS, *OPTIONAL_KEYS}
    for group, features in FEATURE_GROUPS.items():
        assert list(record[group]) == list(features)
        keys |= {*features, *DERIVED_KEYS[group]}
    # Of the four numbered placeholders the first and the last are named.
    keys |= {name for group in PLACEHOLDERS.values() for name in group} - {"context_feature_8", "context_feature_9"}
    assert {key for key in keys if not re.search(rf"\b{key}\b", PAGE)} == set()
