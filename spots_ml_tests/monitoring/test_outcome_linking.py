"""Outcomes that find no decision are counted, and those that missed one by little are told apart."""

from datetime import timedelta

import pytest

from spots_ml.monitoring.outcome_linking import OutcomeLinking, link_outcomes
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.scoring.phone_reports import reports
from spots_ml_tests.stores.keeping_decisions import EVER, decided, log
from spots_ml_tests.stores.keeping_interactions import interaction, take_in


@pytest.fixture
def store(tmp_path):
    store = embedded_store(tmp_path / "store.sqlite")
    log(store, decided(0, 1, 2))
    return store


def link(store, since=EVER[0], until=EVER[1], told=()):
    served, reported = store.decisions.read_decisions(since, until), reports(*told)
    return link_outcomes(served, reported, store.interactions, since=since, until=until)


def later(number, by, **changes):
    """The outcome of a decision, told at another moment."""
    row = interaction(number, **changes)
    return row | {"scored_at": row["scored_at"] + by}


def test_an_outcome_of_the_same_millisecond_belongs_to_its_decision_and_one_beyond_it_to_none(store):
    told = [later(0, timedelta(microseconds=999)), later(1, timedelta(milliseconds=1)), later(2, timedelta(minutes=1))]
    take_in(store, [*told, interaction(3), interaction(4, labelled=False)])

    assert link(store) == OutcomeLinking(n_outcomes=4, n_without_decision=3, n_near=1)
    assert str(link(store)).startswith("3 of 4 outcomes belong to no decision that was logged")
    assert "1 of them are less than 60 seconds away from a decision about the same pair" in str(link(store))


def test_what_a_phone_reported_is_a_decision_whether_or_not_it_counts(store):
    row = interaction(7)
    take_in(store, [row])
    phones = {name: row[name] for name in ("agent_id", "opportunity_id")} | {"decided_at": row["scored_at"]}

    assert link(store) == OutcomeLinking(1, 1, 0)
    assert link(store, told=[phones | {"called": None}]) == OutcomeLinking(1, 0, 0)


def test_an_outcome_that_a_report_found_by_its_id_is_linked_whatever_its_moment(store):
    row = interaction(7)
    take_in(store, [row, interaction(14, opportunity_id=row["opportunity_id"])])
    phones = {name: row[name] for name in ("agent_id", "opportunity_id", "outcome_at")}
    phones |= {"decided_at": row["scored_at"] - timedelta(milliseconds=1)}

    assert link(store, told=[phones | {"outcome_by": "moment"}]) == OutcomeLinking(2, 2, 1)
    assert link(store, told=[phones | {"outcome_by": "id"}]) == OutcomeLinking(2, 1, 0)


def test_what_lacks_agent_opportunity_or_moment_could_belong_to_none(store):
    unknown = [interaction(0, **{name: None}) for name in ("agent_id", "opportunity_id", "scored_at")]
    take_in(store, [interaction(0), *unknown])

    assert link(store) == OutcomeLinking(1, 0, 0)
    assert str(link(store)) == "each of 1 outcomes belongs to a decision that was logged"


def test_only_outcomes_of_the_period_count(store):
    take_in(store, [interaction(0), interaction(5)])

    assert link(store, since=interaction(5)["scored_at"]) == OutcomeLinking(1, 1, 0)
    assert link(store, until=interaction(0)["scored_at"]) == OutcomeLinking(0, 0, 0)


def test_an_empty_store_has_no_outcomes(store):
    assert link(store) == OutcomeLinking(0, 0, 0)
