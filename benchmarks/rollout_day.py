"""Measures a daily look at a rollout: judge phones' reports, count each decision once, find units, weigh the evidence.

    python benchmarks/rollout_day.py [--decisions 1000000] [--agents 50000] [--phones 0.3] [--looks 3]

One JSON line. Decisions lie in 60 days of two stages (10 %, 50 %) and the month before; agents come back; 30 % were
reported by phones, in the columns of the reports' table, the rest was served. Each look finds all units anew, as a
first look would: later ones find fewer. Reading from a store is not part of it. Seconds are the median of the looks,
wall clock; the peak is that of a process of its own that makes the tables and looks once, what it held before the look
told beside it.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from spots_ml.experiments.decided import decided_once
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import Rollout, StagePeriod
from spots_ml.experiments.unit_finding import find_units
from spots_ml.experiments.units import NEW_UNITS, UNITS
from spots_ml.experiments.weighing.evidence import evidence
from spots_ml.registry.service import ServicePeriods
from spots_ml.scoring.decision_log.fields import DECISIONS_WITH_OUTCOMES, TIME
from spots_ml.scoring.decision_log.phone_claims import counted_reports, judge_reports
from spots_ml.scoring.decision_log.phone_decisions import PHONE_DECISIONS

REQUIRED_S, REQUIRED_MB = 10.0, 1_000
START = datetime(2026, 9, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PERIODS = (StagePeriod(1, 0.0, 0.1, START, START + 20 * DAY), StagePeriod(2, 0.1, 0.5, START + 20 * DAY, None))
AS_OF = START + 60 * DAY
ROLLOUT = Rollout(
    number=1,
    model_type="calling_score",
    kind="version",
    version="v1.1-real",
    weight=0.1,
    champion="v1.0-real",
    salt="0123456789abcdef" * 2,
    policy=RolloutPolicy(),
    n_before=0,
    n_promoted_before=0,
    level=0.01,
    status="running",
    stage=2,
    started_at=START,
    last_event=2,
)
EVER = (np.datetime64("2020-01-01", "us"), np.datetime64("2030-01-01", "us"))
SERVICE = ServicePeriods({("calling_score", name): (EVER,) for name in ("v1.0-real", "v1.1-real")})


def columns(schema, n_rows, told):
    """Make a table of some columns; the others are null, or 0 where a decision always has them."""
    arrays = []
    for field in schema:
        values = told.get(field.name)
        if values is None:
            arrays.append(pa.nulls(n_rows, field.type))
        elif isinstance(values, np.ndarray):
            arrays.append(pa.array(values).cast(field.type))
        else:
            arrays.append(values)
    return pa.table(arrays, schema=pa.schema([field.with_nullable(True) for field in schema]))


def decisions(schema, n_rows, n_agents, seed, *, phones):
    """Draw decisions; their versions are those of a fair coin, on which what is found does not depend."""
    random = np.random.default_rng(seed)
    base = np.datetime64(START.replace(tzinfo=None), "us")
    at = base + (random.uniform(-28, 60, n_rows) * 86_400_000_000).astype("timedelta64[us]")
    agent = random.integers(0, n_agents, n_rows)
    kinds = pa.array(["positive", "neutral", "negative"]).take(
        pa.array(random.integers(0, 3, n_rows), mask=random.uniform(size=n_rows) < 0.4)
    )
    moments = pa.array(at).cast(pa.timestamp("us", tz="UTC"))
    late = pa.array(at + (random.exponential(86_400_000_000, n_rows)).astype("timedelta64[us]"))
    hybrid = random.uniform(size=n_rows) < 0.5
    score = random.uniform(size=n_rows)
    told = {
        "decision_id": pa.array(np.arange(n_rows)).cast(pa.string()),
        "agent_id": pa.array([f"agent {number:012d}" for number in range(n_agents)]).take(pa.array(agent)),
        "opportunity_id": pa.array([f"spot {number:06d}" for number in range(5_000)]).take(
            pa.array(random.integers(0, 5_000, n_rows))
        ),
        "decided_at": moments,
        "version": pa.array(["v1.0-real", "v1.1-real"]).take(pa.array(random.integers(0, 2, n_rows))),
        "group": pa.array(["hybrid", "formulaBased"]).take(pa.array((~hybrid).astype(int))),
        "weight": np.zeros(n_rows),
        "formula_score": score,
        "score": score,
        "called": score >= 0.7,
        "propensity": np.ones(n_rows),
        "fallback": pa.array(["calling_score: slow"] * n_rows),
        "outcome_type": kinds,
        "outcome_score": score,
        "outcome_at": late.cast(TIME),
    }
    if phones:
        told["reported_at"] = moments
    return columns(schema, n_rows, told)


def look(served, reports):
    """Do what a look does, between reading and keeping."""
    counted = counted_reports(reports, judge_reports(reports, SERVICE, served))
    decided = decided_once(served, counted)
    found = find_units(decided, ROLLOUT, PERIODS, NEW_UNITS.empty_table(), as_of=AS_OF)
    units = found.new.add_column(0, UNITS.field("number"), pa.array(np.arange(1, found.new.num_rows + 1)))
    return counted.num_rows, found, evidence(ROLLOUT, PERIODS, units, found.entered, as_of=AS_OF)


def made(options):
    """Make what both routes tell."""
    n_phone = int(options.decisions * options.phones)
    served = decisions(DECISIONS_WITH_OUTCOMES, options.decisions - n_phone, options.agents, 0, phones=False)
    return served, decisions(PHONE_DECISIONS, n_phone, options.agents, 1, phones=True)


def main():
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--agents", type=int, default=50_000)
    parser.add_argument("--phones", type=float, default=0.3)
    parser.add_argument("--looks", type=int, default=3)
    parser.add_argument("--peak-only", action="store_true")
    options = parser.parse_args()
    tables = made(options)
    before_mb = peak_mb()
    seconds = []
    for _ in range(1 if options.peak_only else options.looks):
        begin = time.perf_counter()
        n_counted, found, known = look(*tables)
        seconds.append(time.perf_counter() - begin)
    if options.peak_only:
        print(json.dumps({"peak_mb": peak_mb(), "tables_mb": before_mb}))
        return
    peaks = json.loads(
        subprocess.run([sys.executable, *sys.argv, "--peak-only"], check=True, capture_output=True).stdout
    )
    print(
        json.dumps(
            {
                "benchmark": "rollout_day",
                "n_decisions": options.decisions,
                "n_agents": options.agents,
                "n_reports_counted": n_counted,
                "n_units": found.new.num_rows,
                "n_entered": found.entered.num_rows,
                "seconds": round(statistics.median(seconds), 2),
                "all_seconds": [round(one, 2) for one in seconds],
                **peaks,
                "log_e_benefit": round(known.benefit.log_e, 2),
                "required": {"seconds": REQUIRED_S, "peak_mb": REQUIRED_MB},
                "passed": statistics.median(seconds) < REQUIRED_S and peaks["peak_mb"] < REQUIRED_MB,
                "cpus": os.cpu_count(),
                "machine": platform.machine(),
                "load": round(os.getloadavg()[0], 1),
            }
        )
    )


def peak_mb():
    """Tell the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
