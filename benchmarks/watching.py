"""Measure how often a version in service is said to have fallen that did not, and how soon one that did is found.

Simulated years: agents that come back and are alike with themselves, a base rate that moves by the season, outcomes
after five hours, a look every week (a peak between two looks counts in the later one). Prints a table, then one JSON
line.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.monitoring.causes.promise import LOOK_BACK, Promise, hold_against

START = datetime(2026, 1, 1, tzinfo=UTC)
MATURITY = timedelta(hours=48)
FELL_ON = 180
DAYS = 365
_MOMENT = pa.timestamp("us", "UTC")


def decided(random: np.random.Generator, agents: int, error: Callable[[np.ndarray], np.ndarray]) -> pa.Table:
    """Draw a year of decisions of one version, each beside the formula's score, 30 % of the agents a day."""
    day, agent = (axis.ravel() for axis in np.meshgrid(np.arange(DAYS), np.arange(agents), indexing="ij"))
    here = random.random(len(day)) < 0.3
    day, agent = day[here], agent[here]
    n, own = len(day), random.normal(size=agents)[agent]
    truth = 0.6 + 0.1 * random.normal(size=n)
    network = truth + error(day) * (random.normal(size=n) + 0.5 * own)
    formula = truth + 0.06 * (random.normal(size=n) + 0.5 * own)
    season = 0.1 * np.sin(2.0 * np.pi * day / DAYS)
    second = (day * 86_400 + random.integers(0, 86_400, n)).astype("timedelta64[s]")
    at = np.datetime64(START.replace(tzinfo=None), "us") + second
    return pa.table(
        {
            "agent_id": pa.array(agent.astype(str)),
            "version": pa.array(np.full(n, "v1.0-real")),
            "neural_score": np.clip(network, 0.0, 1.0),
            "formula_score": np.clip(formula, 0.0, 1.0),
            "decided_at": pa.array(at, _MOMENT),
            "outcome_type": pa.array(np.full(n, "positive")),
            "outcome_score": np.clip(truth + season + 0.15 * random.normal(size=n), 0.0, 1.0),
            "outcome_at": pa.array(at + np.timedelta64(5, "h"), _MOMENT),
            "first_outcome_at": pa.nulls(n, _MOMENT),
        }
    ).sort_by("decided_at")


def promised() -> Promise:
    """Measure the law on agents of whom there are very many."""
    table = decided(np.random.default_rng(0), 3_000, lambda day: 0.04 + 0.0 * day)
    outcome = table["outcome_score"].to_numpy()
    network, formula = (
        float(np.mean((table[name].to_numpy() - outcome) ** 2)) for name in ("neural_score", "formula_score")
    )
    return Promise(network, formula, formula - network)


def first_alarm(table: pa.Table, promise: Promise, tolerance: float) -> int | None:
    """Look every week; give the day of the first alarm."""
    for day in range(14, DAYS + 1, 7):
        now = START + timedelta(days=day)
        known = table.filter(
            pc.and_(
                pc.greater_equal(table["decided_at"], pa.scalar(now - LOOK_BACK, _MOMENT)),
                pc.less(table["decided_at"], pa.scalar(now, _MOMENT)),
            )
        )
        found = hold_against(
            known, promise, version="v1.0-real", since=START, now=now, maturity=MATURITY, tolerance=tolerance
        )
        if found.fell:
            return day
    return None


@click.command()
@click.option("--worlds", default=200, show_default=True)
@click.option("--agents", default=300, show_default=True)
def main(worlds: int, agents: int) -> None:
    """Measure both."""
    promise, results = promised(), []
    laws: tuple[tuple[str, float, float], ...] = (
        ("as promised, nothing tolerated", 0.04, 0.0),
        ("as promised, 10 % tolerated", 0.04, 0.1),
        ("error of the formula from day 180 on, 10 %", 0.06, 0.1),
        ("twice its error from day 180 on, 10 %", 0.08, 0.1),
        ("as good as blind from day 180 on, 10 %", 0.15, 0.1),
    )
    for name, later, tolerance in laws:
        began = time.perf_counter()

        def error(day: np.ndarray, later: float = later) -> np.ndarray:
            return np.where(day < FELL_ON, 0.04, later)

        alarms = [
            first_alarm(decided(np.random.default_rng([1, world]), agents, error), promise, tolerance)
            for world in range(worlds)
        ]
        early = sum(day is not None and (later == 0.04 or day < FELL_ON) for day in alarms)
        delays = [day - FELL_ON for day in alarms if day is not None and later != 0.04 and day >= FELL_ON]
        result: dict[str, Any] = {
            "law": name,
            "false_alarms": early / worlds,
            "found": len(delays) / worlds,
            "median_delay_days": float(np.median(delays)) if delays else None,
            "seconds": round(time.perf_counter() - began, 1),
        }
        results.append(result)
        click.echo(f"{name:45} false {early / worlds:6.1%}  found {len(delays) / worlds:6.1%}  {result}", err=True)
    click.echo(json.dumps({"worlds": worlds, "agents": agents, "results": results}))


if __name__ == "__main__":
    main()
