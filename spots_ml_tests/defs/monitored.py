"""The daily job, run for real, and decisions for it to find in the store."""

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.interactions.source import InteractionStream
from spots_ml.scoring.assignment import group_names, hybrid_mask
from spots_ml.scoring.decision_log.fields import DECISIONS
from spots_ml_tests.defs.building import INTERACTIONS
from spots_ml_tests.monitoring.deciding import decision

SORTED = INTERACTIONS.sort_by("scored_at")


class Outcome:
    """What a run of the daily job led to."""

    def __init__(self, result):
        self.result = result
        self.metadata = {
            event.asset_key.to_user_string(): {
                name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()
            }
            for event in result.get_asset_materialization_events()
        }
        self.checks = {check.check_name: check for check in result.get_asset_check_evaluations()}

    @property
    def failures(self):
        return {
            event.step_key: event.step_failure_data.user_failure_data.description
            for event in self.result.all_events
            if event.is_step_failure
        }


def run_daily(world, *assets, job="daily_monitoring", day=None):
    """Run the daily job, or some of its assets; `scoring` for a day."""
    return Outcome(
        world.job(job).execute_in_process(
            instance=world.instance,
            asset_selection=[dg.AssetKey(name) for name in assets] or None,
            raise_on_error=False,
            run_config={"loggers": {"console": {}}},
            partition_key=day,
        )
    )


def serve_decisions(world, n_rows=300, *, version="v1.0-real", change=lambda row: row):
    """Import interactions, then log a decision for each of some in the middle, with the history the store serves."""
    stream = InteractionStream("real", iter(SORTED.to_batches()), description="a test", watermark=None)
    world.store.interactions.import_interactions(stream, now=world.clock())
    latest = SORTED.slice(1_500, n_rows)
    served = world.store.history.serve_history(latest["agent_id"].to_pylist(), latest["scored_at"].to_numpy())
    groups = group_names(hybrid_mask(latest["agent_id"])).to_pylist()
    rows = [
        change(
            {
                **decision(row["agent_id"], score=row["formula_score"], called=row["formula_score"] >= 0.7),
                "decision_id": f"{place:032x}",
                "opportunity_id": row["opportunity_id"],
                "decided_at": row["scored_at"],
                "group": groups[place],
                "version": version,
                "arm": "formula" if groups[place] == "formulaBased" else f"calling_score {version or 'none'}",
                "share": 1.0,
                "trend_boost": 0.0,
                "filter_on": True,
                "claim": "at_its_moment",
                "watermark": served.watermark,
                **dict(zip(HISTORY_FEATURES, map(float, served.values[place]), strict=True)),
            }
        )
        for place, row in enumerate(latest.to_pylist())
    ]
    table = pa.Table.from_pylist([{name: row[name] for name in DECISIONS.names} for row in rows], schema=DECISIONS)
    assert world.store.decisions.log_decisions([table], now=world.clock()).n_new == n_rows
    last = pc.max(latest["scored_at"]).as_py()
    return latest, last.date().isoformat()


def of_the_week(latest, day):
    """Rows of the last seven days up to a day, the slow way."""
    end = np.datetime64(day) + np.timedelta64(1, "D")
    at = latest["scored_at"].to_numpy()
    return latest.filter(pa.array((at >= end - np.timedelta64(7, "D")) & (at < end)))
