"""The situations that golden lines cover, and how a plain record becomes one of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spots_ml.features.contract import CONTEXT_FEATURES, HISTORY_FEATURES, TIMING_FEATURES
from spots_ml.interactions.reading.record_layout import FEATURE_GROUPS
from spots_ml.release.client_kit.decision_document import AGENTS_AT_THE_EDGE
from spots_ml.release.client_kit.records import Law, Record
from spots_ml.requests.request_schema import TREND_BOOST_RANGE

Edit = Callable[[Record, np.random.Generator], None]

_DECIMALS: Final = 4


@dataclass(frozen=True)
class Situation:
    """One kind of record.

    Attributes:
        name: What is special about it, for people who read the golden file.
        n_lines: Golden lines of it per model.
        law: Whose records are taken.
        edit: Changes a record of the law; None leaves it as it is.
    """

    name: str
    n_lines: int
    law: Law = "seed"
    edit: Edit | None = None


def _favourable(record: Record, rng: np.random.Generator) -> None:
    """Everything speaks for going there, more or less."""
    for group, names in (("context_features", CONTEXT_FEATURES), ("timing_features", TIMING_FEATURES)):
        record[group] = {name: round(1.0 - 0.4 * rng.random() ** 2, _DECIMALS) for name in names}
    for name in ("past_positive_rate", "average_engagement", "interaction_count", "activity_level"):
        record["history_features"][name] = round(0.6 + 0.4 * rng.random(), _DECIMALS)
    for name in ("past_negative_rate", "time_since_last_positive"):
        record["history_features"][name] = round(0.2 * rng.random(), _DECIMALS)
    for name in ("trajectory_potential", "positive_influence"):
        record[name] = round(0.7 + 0.3 * rng.random(), _DECIMALS)


def _every_feature(value: float | None) -> Edit:
    def edit(record: Record, rng: np.random.Generator) -> None:
        for group, columns in FEATURE_GROUPS.items():
            record[group] = dict.fromkeys(columns, value)

    return edit


def _whole_group(group: str, value: float | None) -> Edit:
    def edit(record: Record, rng: np.random.Generator) -> None:
        record[group] = dict.fromkeys(record[group], value)

    return edit


def _some_unknown(share: float) -> Edit:
    def edit(record: Record, rng: np.random.Generator) -> None:
        for group in FEATURE_GROUPS:
            record[group] = {key: None if rng.random() < share else value for key, value in record[group].items()}

    return edit


def _unknown_vibes(*dimensions: str) -> Edit:
    """One side, drawn, does not know these dimensions."""

    def edit(record: Record, rng: np.random.Generator) -> None:
        side = ("user_vibe_dimensions", "spot_vibe_dimensions")[int(rng.integers(2))]
        record[side] |= dict.fromkeys(dimensions)

    return edit


def _one_timing_known(record: Record, rng: np.random.Generator) -> None:
    known = TIMING_FEATURES[int(rng.integers(len(TIMING_FEATURES)))]
    values = record["timing_features"]
    record["timing_features"] = {name: value if name == known else None for name, value in values.items()}


def _context(name: str, value: float) -> Edit:
    def edit(record: Record, rng: np.random.Generator) -> None:
        record["context_features"][name] = value

    return edit


def _set(**values: Any) -> Edit:
    def edit(record: Record, rng: np.random.Generator) -> None:
        record |= values

    return edit


def _history(value: float | None) -> Edit:
    def edit(record: Record, rng: np.random.Generator) -> None:
        record["history_features"] = dict.fromkeys(HISTORY_FEATURES, value)

    return edit


def _some_history(record: Record, rng: np.random.Generator) -> None:
    for name in HISTORY_FEATURES:
        if rng.random() < 0.5:
            record["history_features"][name] = None


def _no_extras(record: Record, rng: np.random.Generator) -> None:
    for name in ("history_features", "trend_boost", "trajectory_potential", "positive_influence"):
        del record[name]


SITUATIONS: Final = (
    Situation("plain, seed law", 18),
    Situation("plain, hybrid law", 14, "hybrid"),
    Situation("favourable", 16, "close", _favourable),
    Situation("every feature 0", 1, edit=_every_feature(0.0)),
    Situation("every feature 1", 1, edit=_every_feature(1.0)),
    Situation("every feature 0.5", 1, edit=_every_feature(0.5)),
    Situation("every feature unknown", 1, edit=_every_feature(None)),
    Situation("a tenth unknown", 3, edit=_some_unknown(0.1)),
    Situation("half unknown", 3, edit=_some_unknown(0.5)),
    Situation("agent's vibes unknown", 2, edit=_whole_group("user_vibe_dimensions", None)),
    Situation("opportunity's vibes unknown", 2, edit=_whole_group("spot_vibe_dimensions", None)),
    Situation("overall energy of one side unknown", 2, edit=_unknown_vibes("overall_energy")),
    Situation("social preference of one side unknown", 2, edit=_unknown_vibes("social_preference")),
    Situation("half of a tendency unknown", 2, edit=_unknown_vibes("novelty_seeking")),
    Situation("no context known", 1, edit=_whole_group("context_features", None)),
    Situation("no timing known", 2, edit=_whole_group("timing_features", None)),
    Situation("one timing feature known", 2, edit=_one_timing_known),
    Situation("proximity just below 0.5", 2, "close", _context("location_proximity", 0.4999)),
    Situation("proximity 0.5", 2, "close", _context("location_proximity", 0.5)),
    Situation("proximity 0.8", 2, "close", _context("location_proximity", 0.8)),
    Situation("proximity just above 0.8", 2, "close", _context("location_proximity", 0.8001)),
    Situation("least trend boost", 2, "close", _set(trend_boost=TREND_BOOST_RANGE[0])),
    Situation("greatest trend boost", 2, "close", _set(trend_boost=TREND_BOOST_RANGE[1])),
    Situation("no trend boost", 1, "close", _set(trend_boost=None)),
    Situation("potential and influence unknown", 1, "close", _set(trajectory_potential=None, positive_influence=None)),
    Situation("no history", 2, "close", _history(None)),
    Situation("some history unknown", 1, "close", _some_history),
    Situation("history all 0", 1, "close", _history(0.0)),
    Situation("history all 1", 1, "close", _history(1.0)),
    Situation("no extras at all", 1, "close", _no_extras),
    *(Situation(f"agent id {one!r}", 1, "close", _set(agent_id=one)) for one in AGENTS_AT_THE_EDGE),
    Situation("agent unknown", 1, "close", _set(agent_id=None)),
)
"""What the golden lines of each model cover; 100 lines in all."""
