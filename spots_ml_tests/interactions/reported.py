"""Reports of datasets that were never built."""

from spots_ml.interactions.learning.report import DatasetReport


def report(n_labelled: int, n_accepted: int, **changes) -> DatasetReport:
    n_positive = changes.pop("n_positive", n_labelled // 2)
    fields = {
        "n_read": n_accepted,
        "n_accepted": n_accepted,
        "n_quarantined": 0,
        "n_labelled": n_labelled,
        "outcomes": {"positive": n_positive, "neutral": n_labelled - n_positive, "negative": 0},
        "outcome_score_range": (0.1, 0.9) if n_labelled else None,
        "reasons": {},
        "n_agents": 1,
        "n_without_agent": 0,
        "unknown_share": {},
        "kind": "real",
        "description": "",
        "watermark": None,
        **dict.fromkeys(
            ("digest", "snapshot_digest", "contract_digest", "config_digest", "accepted_sha256", "quarantine_sha256"),
            "",
        ),
    }
    return DatasetReport(**(fields | changes))
