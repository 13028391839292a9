"""All that a store tells through its Protocols, as plain values: to be held against what an earlier program told."""

from datetime import UTC, date, datetime

import numpy as np

SINCE, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
AGENTS = ["agent-1", "agent-2", "agent-3", "a stranger", None]
MOMENTS = ["2026-11-11T00:30", "2026-11-11T12:00", "2026-12-01T00:00"]
OUTCOME = ["opportunity_id", "outcome_type", "outcome_score", "outcome_at"]


def told(store, point):
    """What a store holds, and what it held when its watermark was `point`."""
    now, then = store.interactions.read_interactions(), store.interactions.read_interactions(up_to=point)
    return plain(
        {
            "watermark": store.interactions.label_watermark(),
            "labels": [store.interactions.count_labels_after(None), store.interactions.count_labels_after(point)],
            "source": [now.kind, now.watermark],
            "interactions": columns(now.batches),
            "source_then": [then.kind, then.watermark],
            "outcomes_then": {name: values for name, values in columns(then.batches).items() if name in OUTCOME},
            "served_history": served_history(store, None),
            "served_history_then": served_history(store, point),
            "versions": [one.model_dump(mode="json") for one in store.versions.list_versions()],
            "newest": [store.versions.newest(model_type).version for model_type in ("calling_score", "outcome")],
            "history": [one.model_dump(mode="json") for one in store.versions.history()],
            "decisions": store.decisions.read_decisions(SINCE, UNTIL).to_pydict(),
            "performance": [
                one.model_dump(mode="json")
                for one in store.performance.read_performance(date(2026, 11, 1), date(2026, 11, 30))
            ],
            "phone_manifest": (manifest := store.versions.phone_manifest()) and manifest.model_dump(mode="json"),
        }
    )


def served_history(store, point):
    agents = [agent for agent in AGENTS for _ in MOMENTS]
    at = np.array(MOMENTS * len(AGENTS), "datetime64[us]")
    return store.history.serve_history(agents, at, up_to=point).values.tolist()


def columns(batches):
    found = {}
    for batch in batches:
        for name, values in batch.to_pydict().items():
            found.setdefault(name, []).extend(values)
    return found


def plain(value):
    """The same in values of JSON; float32 and float64 keep every bit."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date) else value


def part_that_was_told(now, then):
    """What is told now of all that was told then; whatever came with later programs is left out."""
    if isinstance(then, dict) and isinstance(now, dict):
        return {name: part_that_was_told(now.get(name), value) for name, value in then.items()}
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [part_that_was_told(*both) for both in zip(now, then, strict=True)]
    return now
