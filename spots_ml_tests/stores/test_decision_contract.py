"""What every decision log promises, whatever it keeps the decisions in."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spots_ml.errors import ContractError, InputError
from spots_ml.scoring.decision_log.fields import DECISIONS, DECISIONS_WITH_OUTCOMES
from spots_ml.scoring.decision_log.log import LogReport
from spots_ml_tests.scoring.deciding import changed, decide
from spots_ml_tests.stores.keeping_decisions import EVER, decided, log, outcome, outcomes
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, take_in

POSITIVE = ("positive", 0.9)
NOTHING = (None, None, None)


def test_what_was_logged_is_read_back_bit_by_bit_by_moment(store):
    rows = [interaction(number) for number in range(99, -1, -1)]
    rows = [row | {"scored_at": row["scored_at"] + timedelta(microseconds=123_457)} for row in rows]
    table = decide(rows, now=NOW)
    table = changed(changed(table, "neural_score", 3, 1 / 3), "watermark", 4, "7/9")
    assert log(store, table) == LogReport(n_new=100, n_known=0)

    read = store.decisions.read_decisions(*EVER)
    assert read.schema.equals(DECISIONS_WITH_OUTCOMES)
    assert read.select(DECISIONS.names).combine_chunks().equals(table.take(pa.array(range(99, -1, -1))))


def test_some_columns_are_read_as_they_are_in_all_of_them(store):
    log(store, decided(0, 1, 2))
    outcome_names = ["outcome_type", "first_outcome_at"]
    columns = ["called", "past_positive_rate", "agent_id", "feature_digest", "group", *outcome_names]

    everything = store.decisions.read_decisions(*EVER)
    found = store.decisions.read_decisions(*EVER, columns=columns)

    assert found.column_names == [name for name in everything.column_names if name in columns]
    assert found.combine_chunks().equals(everything.select(found.column_names).combine_chunks())
    assert store.decisions.read_decisions(EVER[1], EVER[1], columns=columns).schema == found.schema
    with pytest.raises(ContractError, match="decisions have no column mood; expected some of decision_id, "):
        store.decisions.read_decisions(*EVER, columns=["called", "mood"])


def test_the_smallest_numbers_and_the_strangest_texts_are_read_back_bit_by_bit(store):
    table = decided(*range(6))
    # As a decimal number of 64 bits, the first float32 lies nearer to its neighbour.
    history = np.array([7.038531e-26, 1e-45, 0.1, 1 / 3, np.nextafter(np.float32(1), np.float32(0)), 1], np.float32)
    numbers = [5e-324, 0.1 + 0.2, 1 / 3, float(np.nextafter(1, 0)), 1e-17, 0.0]
    texts = ["'a'; --", '{"b": [1, null]}', "c\\d", "ä\u2028𝄞", " e,(f).g ", "%2B+"]
    for name, values in (("activity_level", history), ("score", numbers), ("agent_id", texts), ("fallback", texts)):
        field = DECISIONS.field(name)
        table = table.set_column(table.column_names.index(name), field, pa.array(values, field.type))
    log(store, table)

    assert store.decisions.read_decisions(*EVER).select(DECISIONS.names).combine_chunks().equals(table.combine_chunks())


def test_arms_experiments_stages_and_shares_are_read_back(store):
    table = decided(*range(3))
    for name, value in (("arm", "wild ärm"), ("experiment", "exp-1"), ("stage", 3), ("share", 0.1 + 0.2)):
        table = changed(table, name, 1, value)
    log(store, table)

    read = store.decisions.read_decisions(*EVER)
    assert read.select(DECISIONS.names).combine_chunks().equals(table.combine_chunks())
    told = [[row[name] for name in ("arm", "experiment", "stage", "share")] for row in read.to_pylist()]
    assert told[1] == ["wild ärm", "exp-1", 3, 0.1 + 0.2]
    assert told[0][1:] == [None, None, 1.0]


def test_more_decisions_than_any_page_holds_are_all_read_in_order(store):
    log(store, decide([interaction(number, scored_at=NOW) for number in range(1100)], now=NOW))

    ids = store.decisions.read_decisions(*EVER)["decision_id"].to_pylist()
    assert len(set(ids)) == 1100
    assert ids == sorted(ids)


def test_decisions_of_one_moment_are_read_by_id_whatever_order_they_were_logged_in(store):
    rows = [interaction(number, scored_at=NOW) for number in range(30)]
    for start in (20, 0, 10):
        log(store, decide(rows[start : start + 10], now=NOW))

    ids = store.decisions.read_decisions(*EVER)["decision_id"].to_pylist()
    assert len(ids) == 30
    assert ids == sorted(ids)


def test_logging_the_same_again_changes_nothing(store):
    table = decided(*range(50))
    log(store, table.slice(0, 20))
    before = store.decisions.read_decisions(*EVER)

    assert log(store, table) == LogReport(n_new=30, n_known=20)
    assert log(store, table) == LogReport(n_new=0, n_known=50)
    assert store.decisions.read_decisions(*EVER).num_rows == 50
    assert before.num_rows == 20


def test_a_decision_that_stands_twice_in_a_table_is_logged_once(store):
    table = decided(0, 1)

    assert log(store, pa.concat_tables([table, table])) == LogReport(n_new=2, n_known=2)
    assert store.decisions.read_decisions(*EVER).num_rows == 2


def versioned(table, version):
    """The same decisions by another version, as a scorer with it makes them."""
    rows = [
        row | {"version": version, "decision_id": f"{version} {row['decision_id']}", "arm": f"calling_score {version}"}
        for row in table.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=DECISIONS)


def test_what_was_served_and_is_scored_again_by_the_same_versions_stays_as_it_was(store):
    log(store, decided(0))
    before = store.decisions.read_decisions(*EVER)

    assert log(store, decided(0, origin="replayed")) == LogReport(n_new=0, n_known=1)
    assert store.decisions.read_decisions(*EVER).equals(before)


def test_of_an_agent_opportunity_and_moment_one_decision_is_served_the_first(store):
    log(store, decided(0))
    report = log(store, versioned(decided(0, 1), "v1.1-real"))

    assert (report.n_new, report.claims) == (2, {"already_served": 1, "at_its_moment": 1})
    told = {
        (row["opportunity_id"], row["version"]): (row["origin"], row["claim"], row["propensity"])
        for row in store.decisions.read_decisions(*EVER).to_pylist()
    }
    assert told == {
        ("spot 0", None): ("served", "at_its_moment", 1.0),
        ("spot 0", "v1.1-real"): ("replayed", "already_served", None),
        ("spot 1", "v1.1-real"): ("served", "at_its_moment", 1.0),
    }


def test_within_a_call_and_within_a_millisecond_the_first_one_is_served(store):
    exact = interaction(0)["scored_at"]
    rows = [interaction(0, scored_at=exact + timedelta(microseconds=number)) for number in (5, 999, 0, 1000)]
    report = store.decisions.log_decisions([decide(rows[:2], now=NOW), decide(rows[2:], now=NOW)], now=NOW)

    assert report.claims == {"at_its_moment": 2, "already_served": 2}
    served = [row for row in store.decisions.read_decisions(*EVER).to_pylist() if row["origin"] == "served"]
    assert [row["decided_at"] - exact for row in served] == [timedelta(microseconds=5), timedelta(milliseconds=1)]


def test_tables_of_one_call_are_logged_together_or_not_at_all(store):
    def tables():
        yield decided(0, 1)
        yield decided(2)
        raise ValueError("the requests break off here")

    with pytest.raises(ValueError, match="break off"):
        store.decisions.log_decisions(tables(), now=NOW)
    assert store.decisions.read_decisions(*EVER).num_rows == 0
    assert store.decisions.log_decisions([decided(0, 1), decided(2)], now=NOW) == LogReport(n_new=3, n_known=0)


def test_decisions_are_found_by_their_ids(store):
    table = decided(*range(250))
    log(store, table)
    ids = table["decision_id"].to_pylist()

    found = store.decisions.find_decisions([*ids[10:240], "unknown"])
    assert found.schema.equals(DECISIONS)
    assert found.sort_by("decision_id").equals(table.slice(10, 230).sort_by("decision_id"))
    assert store.decisions.find_decisions([]).num_rows == 0


def test_the_same_decision_with_the_history_of_another_watermark_is_the_same(store):
    table = decided(0, 1)
    log(store, changed(table, "watermark", 0, "3/4"))

    assert log(store, changed(table, "watermark", 0, "5/6")) == LogReport(n_new=0, n_known=2)
    assert store.decisions.read_decisions(*EVER)["watermark"].to_pylist() == ["3/4", None]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("score", 0.125),
        ("weight", 1.0),
        ("average_engagement", 0.25),
        ("feature_digest", "0" * 64),
        ("called", True),
        ("group", "formulaBased"),
        ("arm", "another"),
        ("experiment", "exp-1"),
        ("stage", 2),
        ("share", 0.5),
    ],
)
def test_a_known_decision_with_other_content_stays_as_it_was_made_and_is_told(store, name, value):
    log(store, decided(1))
    before = store.decisions.read_decisions(*EVER)
    table = decided(5, 6, 1, 7)

    report = log(store, changed(table, name, 2, value))
    assert report == LogReport(n_new=3, n_known=1, others=(table["decision_id"][2].as_py(),))
    assert before.to_pylist()[0] in store.decisions.read_decisions(*EVER).to_pylist()


def test_others_are_told_in_the_order_in_which_they_were_given_each_once(store):
    table = decided(*range(4))
    log(store, table)
    other = changed(changed(table, "score", 1, 0.0), "called", 3, True).take(pa.array([3, 0, 1, 3]))

    ids = table["decision_id"].to_pylist()
    assert log(store, other) == LogReport(n_new=0, n_known=4, others=(ids[3], ids[1]))


def test_of_two_decisions_of_one_id_and_other_content_in_one_call_the_first_is_logged(store):
    table = decided(0, 1)
    report = log(store, pa.concat_tables([table, changed(table, "score", 1, 0.0)]))

    assert report == LogReport(n_new=2, n_known=2, others=(table["decision_id"][1].as_py(),))
    read = store.decisions.read_decisions(*EVER)
    assert sorted(read["score"].to_pylist()) == sorted(table["score"].to_pylist())


@pytest.mark.parametrize("name", ["agent_id", "opportunity_id", "decided_at"])
def test_a_decision_that_could_not_be_linked_is_refused_and_nothing_is_logged(store, name):
    with pytest.raises(InputError, match=f"decision 3 of the table has no {name}.*leave such rows out"):
        log(store, changed(decided(*range(5)), name, 3, None))
    assert store.decisions.read_decisions(*EVER).num_rows == 0


def test_an_empty_table_logs_nothing(store):
    assert log(store, DECISIONS.empty_table()) == LogReport(n_new=0, n_known=0)
    assert store.decisions.read_decisions(*EVER).equals(DECISIONS_WITH_OUTCOMES.empty_table())


def test_the_start_of_a_period_belongs_to_it_and_its_end_does_not(store):
    log(store, decided(0, 1, 2))
    first, _, last = (interaction(number)["scored_at"] for number in range(3))

    assert store.decisions.read_decisions(first, last)["opportunity_id"].to_pylist() == ["spot 0", "spot 1"]
    later = first + timedelta(microseconds=1)
    assert store.decisions.read_decisions(later, last)["opportunity_id"].to_pylist() == ["spot 1"]
    assert store.decisions.read_decisions(first, first).num_rows == 0


def test_a_period_that_is_none_is_refused(store):
    with pytest.raises(InputError, match="ends before it starts"):
        store.decisions.read_decisions(*EVER[::-1])
    with pytest.raises(InputError, match="has no zone"):
        store.decisions.read_decisions(EVER[0].replace(tzinfo=None), EVER[1])
    with pytest.raises(InputError, match="has no zone"):
        store.decisions.log_decisions([decided(0)], now=NOW.replace(tzinfo=None))


def test_a_decision_is_linked_to_its_own_outcome_alone(store):
    log(store, decided(0, 1))
    take_in(
        store,
        [
            interaction(0),
            interaction(1, scored_at=interaction(1)["scored_at"] + timedelta(milliseconds=1)),
            interaction(1, agent_id="another"),
            interaction(1, agent_id=None),
            interaction(2),
        ],
    )

    assert outcomes(store) == {"spot 0": [outcome(0)], "spot 1": [NOTHING]}


def test_an_outcome_of_the_same_millisecond_is_that_of_the_decision(store):
    exact = interaction(0)["scored_at"] + timedelta(microseconds=123_456)
    log(store, decide([interaction(0, scored_at=exact)], now=NOW))
    for microsecond, linked in ((122_999, NOTHING), (123_000, outcome(0)), (123_999, outcome(0))):
        take_in(store, [interaction(0, scored_at=exact.replace(microsecond=microsecond))])
        assert outcomes(store) == {"spot 0": [linked]}


def test_an_outcome_is_linked_to_the_decision_that_was_served_and_to_no_replay(store):
    take_in(store, [interaction(0), interaction(1)])
    log(store, versioned(decided(0), "v1.1-real"))
    log(store, decided(0))
    log(store, decided(1, origin="replayed"))

    linked = {
        (row["opportunity_id"], row["origin"]): row["outcome_score"]
        for row in store.decisions.read_decisions(*EVER).to_pylist()
    }
    assert linked == {("spot 0", "served"): 0.9, ("spot 0", "replayed"): None, ("spot 1", "replayed"): None}


def test_an_outcome_that_arrives_after_the_decision_and_its_correction_are_seen(store):
    log(store, decided(0))
    assert outcomes(store) == {"spot 0": [NOTHING]}
    take_in(store, [interaction(0, labelled=False)])
    assert outcomes(store) == {"spot 0": [NOTHING]}
    take_in(store, [interaction(0)])
    assert outcomes(store) == {"spot 0": [outcome(0)]}
    take_in(store, [interaction(0, outcome_type="negative", outcome_score=0.1)])
    assert outcomes(store) == {"spot 0": [outcome(0, "negative", 0.1)]}


CORRECTED = {"outcome_type": "neutral", "outcome_score": 0.5}
ACTS = st.lists(
    st.tuples(st.sampled_from(["log", "unlabelled", "labelled"]), st.integers(0, 4), st.booleans()), max_size=25
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=ACTS, corrections=st.sets(st.integers(0, 4)), after=ACTS)
def test_whatever_the_order_each_outcome_is_linked_once_and_as_it_was_last_told(new_store, before, corrections, after):
    """Corrections come after what they correct; everything else may come in any order, and again."""
    store, logged, told = new_store(), {}, {}
    acts = [*before, *(("corrected", number, False) for number in corrections)]
    acts += [(act, number, flag) for act, number, flag in after if act != "labelled"]
    for act, number, replayed in acts:
        if act == "log":
            log(store, decided(number, origin="replayed" if replayed else "served"))
            logged.setdefault(number, replayed)
        elif act == "unlabelled":
            take_in(store, [interaction(number, labelled=False)])
        elif act == "labelled":
            take_in(store, [interaction(number)])
            told[number] = outcome(number)
        else:
            take_in(store, [interaction(number, **CORRECTED)])
            told[number] = outcome(number, "neutral", 0.5)

    assert outcomes(store) == {
        f"spot {number}": [NOTHING if replayed else told.get(number, NOTHING)] for number, replayed in logged.items()
    }
