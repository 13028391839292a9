"""Decisions as the tests of stores log them and read them back."""

from datetime import UTC, datetime

from spots_ml_tests.scoring.deciding import decide
from spots_ml_tests.stores.keeping_interactions import NOW, interaction

EVER = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


OUTCOME = ("outcome_type", "outcome_score", "outcome_at")


def decided(*numbers, **options):
    return decide([interaction(number) for number in numbers], now=NOW, **options)


def log(store, table):
    return store.decisions.log_decisions([table], now=NOW)


def outcomes(store):
    """Opportunity -> the outcomes it is linked to."""
    found = {}
    for row in store.decisions.read_decisions(*EVER).to_pylist():
        found.setdefault(row["opportunity_id"], []).append(tuple(row[name] for name in OUTCOME))
    return found


def outcome(number, kind="positive", score=0.9):
    return (kind, score, interaction(number)["outcome_at"])
