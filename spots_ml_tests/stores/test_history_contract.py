"""What every server of history promises: the very numbers that training computes, from what was known at the moment."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spots_ml.errors import InputError
from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.features.history import NO_HISTORY, history_features
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.generators.timeline import DEFAULT_UNTIL
from spots_ml.interactions.judging.judgement import judge
from spots_ml.interactions.keeping.snapshot import write_snapshot
from spots_ml.interactions.learning.validation import ValidationConfig, build_dataset, load_dataset
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, read, take_in

NOBODY = np.array(NO_HISTORY, np.float32)
LATER = DEFAULT_UNTIL + timedelta(days=60)


def moments(*values):
    return np.array([None if one is None else one.replace(tzinfo=None) for one in values], "datetime64[us]")


def serve_rows(store, table, **options):
    """The history of each row's agent at the moment the row was scored."""
    scored_at = table["scored_at"].to_numpy().astype("datetime64[us]")
    return store.history.serve_history(table["agent_id"].to_pylist(), scored_at, **options).values


def bits(values):
    assert values.dtype == np.float32
    return values.view(np.uint32).tolist()


def one_by_one(table, agents, at):
    """What training computes when each asked moment alone is added to all interactions as one more row."""
    encoded = table["agent_id"].combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    agent = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    past = (
        table["scored_at"].to_numpy().astype("datetime64[us]"),
        table["outcome_at"].to_numpy().astype("datetime64[us]"),
        table["outcome_score"].to_numpy().astype(np.float64),
        table["outcome_type"].fill_null("").to_numpy().astype(str),
    )
    nothing = (np.datetime64("NaT", "us"), np.nan, "")
    values = np.empty((len(agents), 6), np.float32)
    for row, (name, moment) in enumerate(zip(agents, at, strict=True)):
        code = -1 if name is None else names.index(name) if name in names else len(names)
        columns = (np.append(old, new) for old, new in zip(past, (moment, *nothing), strict=True))
        values[row] = history_features(np.append(agent, code), *columns)[-1]
    return values


AGENTS = st.sampled_from(["a", "b", "c", None])
MINUTES = st.integers(0, 12).map(lambda step: step * 60 * 24 * 4)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "agent": AGENTS,
            "minute": st.one_of(MINUTES, st.none()),
            "delay": st.one_of(st.none(), st.integers(0, 60 * 24 * 20)),
            "kind": st.sampled_from([("positive", 0.9), ("neutral", 0.5), ("negative", 0.1), (None, None)]),
        }
    ),
    min_size=1,
    max_size=40,
)
START = NOW - timedelta(days=100)


def described(rows):
    """Interactions of few agents at few moments, with outcomes that arrive late, without a time, or never."""
    for number, row in enumerate(rows):
        scored_at = None if row["minute"] is None else START + timedelta(minutes=row["minute"])
        kind, score = row["kind"]
        arrived = None
        if kind is not None and row["delay"] is not None:
            arrived = (scored_at or START) + timedelta(minutes=row["delay"])
        yield interaction(
            number,
            agent_id=row["agent"],
            scored_at=scored_at,
            outcome_type=kind,
            outcome_score=score,
            outcome_at=arrived,
        )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_each_row_is_served_bit_for_bit_what_training_computes_for_it(new_store, rows):
    store = new_store()
    take_in(store, list(described(rows)))

    judgement = judge(lambda: store.interactions.read_interactions().batches, config=ValidationConfig(), now=NOW)
    assert judgement.n_broken == 0
    assert bits(serve_rows(store, read(store))) == bits(judgement.history)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ROWS,
    asked=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "stranger", None]),
            st.one_of(st.none(), MINUTES, MINUTES.map(lambda minute: minute + 1), st.integers(0, 60 * 24 * 70)),
        ),
        max_size=30,
    ),
)
def test_any_moment_is_served_what_training_computes_for_one_more_row_at_it(new_store, rows, asked):
    store = new_store()
    take_in(store, list(described(rows)))
    agents = [agent for agent, _ in asked]
    at = moments(*(None if minute is None else START + timedelta(minutes=minute) for _, minute in asked))

    served = store.history.serve_history(agents, at).values
    assert bits(served) == bits(one_by_one(read(store), agents, at))
    alone = [store.history.serve_history([agent], at[row : row + 1]).values[0] for row, agent in enumerate(agents[:5])]
    assert bits(served[:5]) == bits(np.array(alone, np.float32).reshape(-1, 6))


def test_a_busy_agent_is_asked_about_at_every_moment_beyond_all_caps(store):
    minutes = np.random.default_rng(0).integers(0, 60 * 24 * 60, 250)
    rows = [
        interaction(number, agent_id="busy", scored_at=START + timedelta(minutes=int(minute)))
        for number, minute in enumerate(minutes)
    ]
    take_in(store, [*rows, *(interaction(number) for number in range(20))])
    asked = [int(minute) + step for minute in minutes for step in (0, 1)] + list(range(0, 60 * 24 * 61, 700))
    at = moments(*(START + timedelta(minutes=minute) for minute in asked))

    served = store.history.serve_history(["busy"] * len(at), at).values
    assert bits(served) == bits(one_by_one(read(store), ["busy"] * len(at), at))
    counts = served[:, HISTORY_FEATURES.index("interaction_count")]
    activity = served[:, HISTORY_FEATURES.index("activity_level")]
    assert counts.max() == activity.max() == 1.0
    assert len(set(counts.tolist())) == 101


def test_a_dataset_built_from_the_store_has_the_served_history(store, tmp_path):
    store.interactions.import_interactions(SeedLaw().generate(3000, seed=4, labelled_share=0.7), now=LATER)
    snapshot = write_snapshot(store.interactions.read_interactions(), tmp_path / "snapshots")
    report = build_dataset(tmp_path / "snapshots", snapshot.digest, tmp_path / "datasets", now=LATER)
    _, dataset = load_dataset(tmp_path / "datasets", report.digest)

    assert dataset.num_rows == 3000
    trained_on = np.stack([dataset[name].to_numpy() for name in HISTORY_FEATURES], axis=1)
    assert bits(serve_rows(store, dataset)) == bits(trained_on)
    assert len(np.unique(trained_on, axis=0)) > 1000
    order = np.random.default_rng(0).permutation(3000)
    assert bits(serve_rows(store, dataset.take(order))) == bits(trained_on[order])


def test_nothing_is_known_about_strangers_the_unknown_and_unknown_moments(store):
    take_in(store, [interaction(number) for number in range(50)])

    at = moments(NOW, NOW, NOW, None, NOW)
    served = store.history.serve_history(["stranger", "agent\0 1", None, "agent 1", "agent 1"], at).values
    assert bits(served[:4]) == bits(np.tile(NOBODY, (4, 1)))
    assert bits(served[4]) != bits(NOBODY)


def test_an_empty_store_serves_no_history_and_says_where_it_stood(store):
    served = store.history.serve_history(["a", None], moments(NOW, NOW))

    assert bits(served.values) == bits(np.tile(NOBODY, (2, 1)))
    assert served.watermark == store.interactions.label_watermark()
    assert store.history.serve_history([], moments()).values.shape == (0, 6)


def test_what_arrived_after_the_watermark_is_not_seen(store):
    take_in(store, [interaction(number, labelled=number < 30) for number in range(60)])
    agents, at = [f"agent {number % 9}" for number in range(40)], moments(*[NOW] * 40)
    then = store.history.serve_history(agents, at)
    assert then.watermark == store.interactions.label_watermark()
    known_then = read(store)

    take_in(store, [interaction(number) for number in range(90)])
    again = store.history.serve_history(agents, at, up_to=then.watermark)
    now = store.history.serve_history(agents, at)
    assert bits(again.values) == bits(then.values) == bits(one_by_one(known_then, agents, at))
    assert bits(now.values) == bits(one_by_one(read(store), agents, at))
    assert bits(now.values) != bits(then.values)
    assert (again.watermark, now.watermark) == (then.watermark, store.interactions.label_watermark())


def test_the_present_may_be_asked_about_as_often_as_there_are_candidates(store):
    take_in(store, [interaction(number) for number in range(50)])

    served = store.history.serve_history(["agent 1"] * 200, moments(*[NOW] * 200)).values
    assert len(np.unique(served, axis=0)) == 1
    assert bits(served[0]) == bits(one_by_one(read(store), ["agent 1"], moments(NOW))[0])


@pytest.mark.parametrize("name", ["it's", '"quoted"', "a,b", "back\\slash", "(a)", "null", "%", "ä☕", "A", " a"])
def test_agents_are_told_apart_whatever_their_names(store, name):
    take_in(store, [interaction(0, agent_id=name), *(interaction(number, agent_id="a") for number in range(1, 9))])

    served = store.history.serve_history([name, "a"], moments(NOW, NOW)).values
    assert served[:, HISTORY_FEATURES.index("interaction_count")].tolist() == np.float32([0.01, 0.08]).tolist()


def test_ids_may_come_in_arrow_arrays_and_moments_in_any_unit(store):
    take_in(store, [interaction(number) for number in range(50)])
    ids = ["agent 1", None, "agent 2"]
    expected = bits(store.history.serve_history(ids, moments(*[NOW] * 3)).values)

    for array in (pa.array(ids), pa.chunked_array([ids[:1], ids[1:]])):
        assert bits(store.history.serve_history(array, moments(*[NOW] * 3).astype("datetime64[s]")).values) == expected


@pytest.mark.parametrize(
    ("ids", "at", "up_to", "told"),
    [
        (["a", "b"], moments(NOW), None, "2 agents are asked for at moments of shape"),
        (["a"], np.array([1.5]), None, "expected one datetime64 each"),
        (["a"], moments(NOW), "x/y", "not a watermark"),
    ],
)
def test_what_cannot_be_answered_is_refused(store, ids, at, up_to, told):
    take_in(store, [interaction(0)])

    with pytest.raises(InputError, match=told):
        store.history.serve_history(ids, at, up_to=up_to)


@pytest.mark.parametrize("ahead", ["1/2", "2/1"])
def test_a_watermark_that_the_store_has_not_reached_is_refused(store, ahead):
    take_in(store, [interaction(0)])
    reached = store.interactions.label_watermark()

    with pytest.raises(InputError, match=f"lies ahead of {reached}"):
        store.history.serve_history(["a"], moments(NOW), up_to=reached.replace("1/1", ahead))


def test_more_agents_than_fit_into_one_request_are_all_served(store):
    names = [f"agent {number} of many with names as long as they are" for number in range(300)]
    take_in(store, [interaction(number, agent_id=names[number % 300]) for number in range(1100)])

    served = store.history.serve_history(names, moments(*[NOW] * 300)).values
    counts = served[:, HISTORY_FEATURES.index("interaction_count")]
    assert counts.tolist() == np.float32([0.04] * 200 + [0.03] * 100).tolist()
