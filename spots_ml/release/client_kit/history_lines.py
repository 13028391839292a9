"""Golden lines for history: one agent's interactions, a moment, and the six features that must come out of them.

What comes out is what training computes (`features.history`), so that an app that agrees with these lines feeds the
outcome model what it was trained on.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.features.history import ACTIVITY_WINDOW_DAYS, RECENCY_CAP_DAYS, history_features
from spots_ml.interactions.schema import OUTCOME_TYPES

HistoryLine = dict[str, Any]
"""`situation`, `at`, `interactions` (of one agent, in any order) and `history_features` by name."""

_AT: Final = datetime(2026, 3, 10, 8, 0, 0, 125_000, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_N_DRAWN: Final = 24
_LONGEST_DAYS: Final = 60
_MOST: Final = 130


def history_lines() -> list[HistoryLine]:
    """Make the golden lines for history.

    Returns:
        Lines for every rule and its edges, then drawn ones; the same in every call.
    """
    day, ago = timedelta(days=1), _AT - timedelta(days=2)
    window, recency = timedelta(days=ACTIVITY_WINDOW_DAYS), timedelta(days=RECENCY_CAP_DAYS)
    situations: dict[str, list[dict[str, Any]]] = {
        "nothing yet": [],
        "scored, no outcome yet": [_interaction(ago)],
        "the interaction that is being scored does not count": [_interaction(_AT)],
        "a later interaction does not count": [_interaction(_AT + day, ("positive", 0.9, _AT + 2 * day))],
        "one positive": [_interaction(ago, ("positive", 0.9, ago + day))],
        "one neutral: never positive": [_interaction(ago, ("neutral", 0.5, ago + day))],
        "one negative": [_interaction(ago, ("negative", 0.1, ago + day))],
        "an outcome that arrives this very millisecond does not count": [_interaction(ago, ("positive", 0.8, _AT))],
        "an outcome of a millisecond ago counts": [_interaction(ago, ("positive", 0.8, _AT - _MS))],
        "an outcome that claims to be older than its interaction arrived with it": [
            _interaction(ago, ("positive", 0.7, ago - 5 * day))
        ],
        "an outcome whose arrival is unknown does not count": [_interaction(ago, ("positive", 0.9, None))],
        "scored at the first moment of the window": [_interaction(_AT - window)],
        "scored a millisecond before the window": [_interaction(_AT - window - _MS)],
        "positive as long ago as is told apart": [
            _interaction(_AT - recency - day, ("positive", 1.0, _AT - recency)),
            _interaction(_AT - recency, ("negative", 0.0, _AT - recency + day)),
        ],
        "positive long ago": [_interaction(_AT - 3 * recency, ("positive", 1.0, _AT - 2 * recency))],
        "more than the caps": [_interaction(_AT - (1 + number) * timedelta(hours=4)) for number in range(_MOST)],
    }
    rng = np.random.default_rng(20_260_310)
    for number in range(_N_DRAWN):
        situations[f"drawn {number + 1}"] = _drawn(rng)
    return [_line(situation, interactions) for situation, interactions in situations.items()]


def _interaction(scored: datetime, outcome: tuple[str, float, datetime | None] | None = None) -> dict[str, Any]:
    kind, score, arrived = outcome or (None, None, None)
    return {
        "timestamp": _text(scored),
        "outcome_type": kind,
        "outcome_score": score,
        "outcome_timestamp": None if arrived is None else _text(arrived),
    }


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _drawn(rng: np.random.Generator) -> list[dict[str, Any]]:
    drawn = []
    for _ in range(int(rng.integers(1, 40))):
        scored = _AT - _MS * int(rng.integers(-86_400_000, _LONGEST_DAYS * 86_400_000))
        outcome = None
        if rng.random() < 0.7:
            kind = OUTCOME_TYPES[int(rng.integers(len(OUTCOME_TYPES)))]
            outcome = (kind, round(float(rng.random()), 4), scored + _MS * int(rng.integers(0, 5 * 86_400_000)))
        drawn.append(_interaction(scored, outcome))
    return drawn


def _line(situation: str, interactions: list[dict[str, Any]]) -> HistoryLine:
    """Compute with the scored pair as the last row: training does the same."""
    told = [*interactions, _interaction(_AT)]

    def moments(key: str) -> np.ndarray:
        return np.array([(one[key] or "NaT").removesuffix("Z") for one in told], "datetime64[us]")

    features = history_features(
        np.zeros(len(told), np.int64),
        moments("timestamp"),
        moments("outcome_timestamp"),
        np.array([np.nan if one["outcome_score"] is None else one["outcome_score"] for one in told]),
        np.array([one["outcome_type"] for one in told], object),
    )[-1]
    return {
        "situation": situation,
        "at": _text(_AT),
        "interactions": interactions,
        "history_features": dict(zip(HISTORY_FEATURES, features.tolist(), strict=True)),
    }
