"""What of a rollout a person is called for."""

from dataclasses import replace
from datetime import timedelta

import pytest

from spots_ml.experiments.evidence_record import Look
from spots_ml.pipeline.rollouts.rollout_view import RolloutView
from spots_ml_tests.experiments.unit_tables import T0, events_until, known, rollout


def viewed(**evidence):
    told = {"evidence": known(**evidence), "n_units": 1_000, "units_digest": "0" * 64, "change": None, "told": "hold"}
    return RolloutView(
        model_type="calling_score",
        at=T0 + timedelta(days=12),
        rollout=rollout(),
        events=tuple(events_until(1)),
        looks=(Look(**told, number=1, rollout=1, at=T0, actor="test"),),
        upcoming="nothing",
        n_rollouts=1,
        n_promoted=0,
        next_level=0.02,
        taken_back=None,
        waits=None,
    )


def test_a_rollout_on_its_way_calls_for_nobody():
    assert viewed(otherwise_share=0.1).needs_person == ()


def test_decisions_that_were_not_made_as_assigned_call_for_a_person():
    (need,) = viewed(otherwise_share=0.11).needs_person
    assert "11.0% of decisions" in need and "check-log" in need


@pytest.mark.parametrize("status", ["promoted", "ended"])
def test_what_is_over_does_not(status):
    over = viewed(otherwise_share=0.5)
    assert replace(over, rollout=rollout(status=status)).needs_person == ()
