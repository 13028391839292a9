"""Score requests as the app would send them, right ones, to be made wrong in one place."""

import json

import numpy as np

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.interactions.reading.record_layout import FEATURE_GROUPS

HISTORY = dict(zip(HISTORY_FEATURES, (0.75, 0.125, 0.625, 0.3, 0.1, 0.9), strict=True))


def make_request(number=0, **changes):
    """The n-th request; arguments replace keys or, with `...`, remove them (`a__b` reaches into groups)."""
    values = np.random.default_rng(number).uniform(0.1, 0.9, 34).tolist()
    request = {group: {key: values.pop() for key in keys} for group, keys in FEATURE_GROUPS.items()}
    request |= {
        "agent_id": f"agent-{number % 7}",
        "opportunity_id": f"spot-{number}",
        "timestamp": f"2026-05-01T10:{number // 60 % 60:02}:{number % 60:02}+00:00",
    }
    for path, value in changes.items():
        *groups, key = path.split("__")
        target = request
        for group in groups:
            target = target[group]
        if value is ...:
            del target[key]
        else:
            target[key] = value
    return request


def lines(requests):
    """JSON lines; what is bytes stands there as it is."""
    texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in requests]
    return b"".join(text + b"\n" for text in texts)
