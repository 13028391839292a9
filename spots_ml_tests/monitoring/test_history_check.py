"""The check of served history finds what it is there to find, and is quiet about honest data."""

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from spots_ml.errors import ConfigError, InputError
from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.monitoring import history_check as served_history
from spots_ml.monitoring.history_check import check_served_history
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.scoring.deciding import changed, decide
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, take_in

EVER = {"since": datetime(2020, 1, 1, tzinfo=UTC), "until": datetime(2030, 1, 1, tzinfo=UTC)}
LATER = NOW + timedelta(days=2)


@pytest.fixture
def store(tmp_path):
    return embedded_store(tmp_path / "store.sqlite")


def check(store, *, sample=1000, seed=0, log=None):
    return check_served_history(log or store.decisions, store.interactions, sample=sample, seed=seed, **EVER)


def ask(*numbers, at=NOW):
    """Requests of the agents of these interactions, at other moments and about other places."""
    return [
        interaction(number, opportunity_id=f"place {number}", scored_at=at + timedelta(seconds=number))
        for number in numbers
    ]


def serve(store, rows, **options):
    store.decisions.log_decisions([decide(rows, now=NOW, server=store.history, **options)], now=NOW)


def fill(store):
    """Labelled and unlabelled interactions, decisions served at three watermarks, and a replay of everything."""
    for first in (0, 40, 80):
        take_in(store, [interaction(number, labelled=number % 3 > 0) for number in range(first, first + 40)])
        serve(store, ask(*range(first, first + 30)))
    serve(store, [interaction(number) for number in range(120)], origin="replayed")


def test_honest_data_passes_and_everything_is_counted(store):
    fill(store)
    found = check(store)

    assert (found.n_decisions, found.n_not_served, found.n_checked) == (210, 0, 210)
    assert (found.n_mismatched, found.mismatches) == (0, ())
    assert found.passed
    assert "the history of 210 decisions is bit for bit what training computes" in found.message
    assert found.verdict.gate == "served_history"


@pytest.mark.parametrize("feature", HISTORY_FEATURES)
def test_one_float_that_is_off_by_its_last_bit_is_found(store, feature):
    fill(store)
    table = decide(ask(*range(10), at=NOW + timedelta(hours=1)), now=NOW, server=store.history)
    honest = table[feature][7].as_py()
    wrong = float(np.nextafter(np.float32(honest), np.float32(0.75)))
    store.decisions.log_decisions([changed(table, feature, 7, wrong)], now=NOW)
    found = check(store)

    assert not found.passed
    assert (found.n_mismatched, len(found.mismatches)) == (1, 1)
    (one,) = found.mismatches
    assert (one.decision_id, one.feature) == (table["decision_id"][7].as_py(), feature)
    assert (one.served, one.recomputed) == (wrong, honest)
    assert f"{feature} of {one.decision_id} was served as" in found.message


def test_a_wrong_history_of_a_replayed_decision_is_found(store):
    take_in(store, [interaction(number) for number in range(40)])
    table = decide([interaction(number) for number in range(40)], now=NOW, server=store.history, origin="replayed")
    store.decisions.log_decisions([changed(table, "activity_level", 39, 0.125)], now=NOW)

    assert check(store).n_mismatched == 1


def test_decisions_made_on_no_history_at_all_are_found(store):
    take_in(store, [interaction(number) for number in range(40)])
    table = decide(ask(*range(20)), now=NOW)
    for row in range(20):
        table = changed(table, "watermark", row, store.interactions.label_watermark())
    store.decisions.log_decisions([table], now=NOW)
    found = check(store)

    assert (found.n_mismatched, len(found.mismatches)) == (20, 10)


def test_an_outcome_that_was_corrected_after_it_was_served_is_no_fault_and_shows(store):
    take_in(store, [interaction(number) for number in range(40)])
    serve(store, ask(*range(14)))
    assert check(store).passed
    take_in(store, [interaction(3, outcome_type="negative", outcome_score=0.1)])
    found = check(store)

    # Two decisions of the agent of interaction 3.
    assert (found.passed, found.n_mismatched, found.n_late) == (True, 0, 2)
    assert "2 would differ with what has arrived or was corrected since" in found.message


def test_outcomes_and_interactions_that_arrive_late_are_counted_apart_and_are_no_fault(store):
    take_in(store, [interaction(number, labelled=number >= 7) for number in range(21)])
    serve(store, ask(*range(7)))
    assert check(store).n_late == 0

    negative = {"outcome_type": "negative", "outcome_score": 0.1}
    take_in(store, [interaction(0, **negative), interaction(1, **negative)])
    late = check(store)
    assert (late.passed, late.n_mismatched, late.n_late) == (True, 0, 2)
    assert "2 would differ" in late.message

    take_in(store, [interaction(23, labelled=False)])
    assert check(store).n_late == 3


def test_outcomes_that_came_after_the_decision_make_no_difference(store):
    take_in(store, [interaction(number, labelled=False) for number in range(7)])
    serve(store, ask(*range(7), at=NOW - timedelta(days=1)))
    arrived = NOW - timedelta(hours=1)
    take_in(store, [interaction(number, outcome_at=arrived) for number in range(7)])

    assert check(store).n_late == 0


def test_history_that_came_with_the_request_is_not_compared(store):
    take_in(store, [interaction(number) for number in range(40)])
    serve(store, ask(*range(5)))
    brought = dict.fromkeys(HISTORY_FEATURES, 0.25)
    serve(store, [row | brought for row in ask(*range(5, 12))])
    found = check(store)

    assert (found.n_decisions, found.n_not_served, found.n_checked, found.passed) == (12, 7, 5, True)


def test_decisions_of_which_none_asked_the_store_do_not_pass(store):
    take_in(store, [interaction(number) for number in range(40)])
    store.decisions.log_decisions([decide(ask(*range(5)), now=NOW)], now=NOW)
    found = check(store)

    assert (found.n_checked, found.passed) == (0, False)
    assert "none of 5 decisions had its history served from the store" in found.message


def test_without_decisions_there_is_nothing_wrong(store):
    found = check(store)

    assert (found.n_decisions, found.passed) == (0, True)
    assert "no decisions" in found.message


def test_decisions_from_before_the_first_interaction_are_checked_too(store):
    serve(store, ask(*range(5)))
    assert check(store).passed

    take_in(store, [interaction(number) for number in range(40)])
    found = check(store)
    assert (found.n_checked, found.passed, found.n_late) == (5, True, 5)


def test_the_sample_is_drawn_from_each_origin_and_from_few_watermarks(store, monkeypatch):
    fill(store)
    for first in range(20):
        serve(store, ask(first, at=LATER))
        take_in(store, [interaction(200 + first)])
    reads = []
    monkeypatch.setattr(served_history, "_recomputed", _noting(served_history._recomputed, reads))

    found = check(store, sample=25)
    assert (found.n_checked, found.passed) == (50, True)
    assert sum(n_rows for n_rows, watermark in reads if watermark is not None) == 50
    assert len(reads) <= 2 * served_history.MAX_WATERMARKS + 1
    everything = check(store)
    assert everything.n_decisions == 230
    assert 120 + 8 <= everything.n_checked < 230


def _noting(recomputed, reads):
    def noted(decisions, interactions, watermark):
        reads.append((decisions.num_rows, watermark))
        return recomputed(decisions, interactions, watermark)

    return noted


def test_the_same_seed_draws_the_same_sample(store):
    fill(store)
    take_in(store, [interaction(number, outcome_type="negative", outcome_score=0.1) for number in (1, 4, 7)])

    one, again = check(store, sample=10, seed=1), check(store, sample=10, seed=1)
    assert one == again
    assert any(check(store, sample=10, seed=seed) != one for seed in range(2, 12))


def test_what_cannot_be_checked_is_refused(store):
    take_in(store, [interaction(0)])
    with pytest.raises(ConfigError, match="sample of 0 decisions"):
        check(store, sample=0)

    store.decisions.log_decisions([changed(decide(ask(1), now=NOW), "watermark", 0, "yesterday")], now=NOW)
    with pytest.raises(InputError, match="'yesterday' is not a watermark"):
        check(store)


class Watching:
    """Counts the interactions that are read."""

    def __init__(self, interactions):
        self.interactions, self.n_read = interactions, []

    def read_interactions(self, up_to=None, **bounds):
        found = self.interactions.read_interactions(up_to, **bounds)
        batches = list(found.batches)
        self.n_read.append(sum(batch.num_rows for batch in batches))
        return dataclasses.replace(found, batches=iter(batches))


def test_only_the_interactions_of_the_sample_s_agents_are_read_once_for_each_watermark_and_once_as_of_now(store):
    for first in (0, 70):
        take_in(store, [interaction(number) for number in range(first, first + 70)])
        serve(store, ask(first, at=NOW + timedelta(days=first)))
    watching = Watching(store.interactions)
    found = check_served_history(store.decisions, watching, sample=1000, seed=0, **EVER)

    assert (found.n_checked, found.passed) == (2, True)
    assert sorted(watching.n_read) == [10, 20, 20]  # of one agent in seven
