"""A small world of decisions for tests of units: agents that come back, outcomes that arrive late or never."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from spots_ml.experiments.decided import DECIDED
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import Rollout, StagePeriod
from spots_ml.experiments.unit_finding import find_units
from spots_ml.experiments.units import NEW_UNITS

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WHOLE = 9 * DAY
"""Window and maturity."""

SALT = "0123456789abcdef" * 2
CHALLENGER, CHAMPION = "v1.1-real", "v1.0-real"


def rollout(**changes):
    told = {
        "number": 1,
        "model_type": "calling_score",
        "kind": "version",
        "version": CHALLENGER,
        "weight": 0.1,
        "champion": CHAMPION,
        "salt": SALT,
        "policy": RolloutPolicy(),
        "n_before": 0,
        "n_promoted_before": 0,
        "level": 0.01,
        "status": "running",
        "stage": 1,
        "started_at": START,
        "last_event": 1,
    }
    return Rollout(**(told | changes))


STAGE_1 = StagePeriod(1, 0.0, 0.1, START, None)
TWO_STAGES = (StagePeriod(1, 0.0, 0.1, START, START + 15 * DAY), StagePeriod(2, 0.1, 0.5, START + 15 * DAY, None))


def decision(agent, at, **changes):
    """What the champion decided: called, without an outcome."""
    return (
        dict.fromkeys(DECIDED.names)
        | {
            "agent_id": agent,
            "opportunity_id": "spot",
            "decided_at": at,
            "version": CHAMPION,
            "weight": 0.1,
            "formula_score": 0.75,
            "neural_score": 0.8,
            "called": True,
            "by_phone": False,
        }
        | changes
    )


def outcome(kind="positive", at=START + HOUR, first=None):
    return {"outcome_type": kind, "outcome_at": at, "first_outcome_at": first}


def table(*rows):
    return pa.Table.from_pylist(list(rows), DECIDED)


def nothing_known():
    return NEW_UNITS.empty_table()


def units(rows, *, as_of=START + 30 * DAY, periods=(STAGE_1,), **changes):
    return find_units(table(*rows), rollout(**changes), periods, nothing_known(), as_of=as_of).new.to_pylist()


def world(seed, n_agents=60, n_days=40):
    """Decisions of many agents from before the first stage on, in an order that means nothing."""
    random = np.random.default_rng(seed)
    rows = []
    for agent in range(n_agents):
        for moment in np.sort(random.uniform(-10, n_days, random.integers(1, 30))):
            at = START + timedelta(days=float(moment))
            kind = ("positive", "neutral", "negative", None)[random.integers(4)]
            late = timedelta(hours=float(random.exponential(24)))
            told = outcome(kind, at + late) if kind else {}
            score = round(float(random.uniform()), 3)
            called = bool(random.uniform() < 0.7)
            rows.append(decision(f"agent-{agent}", at, called=called, formula_score=score, **told))
    return [rows[place] for place in random.permutation(len(rows))]


def known_by(rows, now):
    """What the log held then: no later decision, no outcome that had not arrived."""
    untold = {"outcome_type": None, "outcome_at": None}
    for row in rows:
        if row["decided_at"] < now:
            yield row if row["outcome_at"] is None or row["outcome_at"] <= now else row | untold
