"""What every store of interactions promises, whatever it keeps them in."""

import re
from datetime import timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spots_ml.errors import InputError, ValidationFailedError
from spots_ml.features.contract import RAW_FEATURES
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.interactions.source import InteractionStream
from spots_ml_tests.interactions.tellings import SAID, interactions, key, records
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, read, stream, take_in


def test_what_was_imported_is_read_back_bit_by_bit_in_order(store):
    rows = [interaction(number, labelled=number % 3 > 0) for number in range(100)]
    rows[5][RAW_FEATURES[4]] = None
    rows[6]["agent_id"] = None
    take_in(store, rows)

    expected = pa.Table.from_batches(list(stream(rows).batches), schema=INTERACTIONS)
    assert read(store).equals(expected)


def test_importing_again_changes_nothing(store):
    rows = [interaction(number) for number in range(50)]
    first, again = take_in(store, rows), take_in(store, rows)

    assert (first.n_new, first.n_new_labels) == (50, 50)
    assert (again.n_new, again.n_updated, again.n_unchanged, again.n_new_labels) == (0, 0, 50, 0)
    assert store.interactions.count_labels_after(None) == 50


def test_anonymous_records_are_known_by_what_they_say(store):
    rows = [interaction(number, agent_id=None, opportunity_id=None, scored_at=None) for number in range(11)]

    assert take_in(store, rows).n_new == 11
    assert take_in(store, rows).n_unchanged == 11


def test_an_outcome_that_arrives_later_is_a_new_label_of_the_known_interaction(store):
    take_in(store, [interaction(number, labelled=False) for number in range(20)])
    before = store.interactions.label_watermark()
    report = take_in(store, [interaction(number) for number in range(5)])

    assert (report.n_new, report.n_updated, report.n_new_labels) == (0, 5, 5)
    assert store.interactions.count_labels_after(before) == 5
    assert read(store).num_rows == 20


def test_a_known_outcome_is_never_taken_away(store):
    take_in(store, [interaction(0)])
    report = take_in(store, [interaction(0, labelled=False)])

    assert report.n_unchanged == 1
    assert read(store)["outcome_score"].to_pylist() == [0.9]


def corrected(number, days=6, score=0.1, **changes):
    """An interaction whose positive outcome was corrected some days later."""
    row = interaction(number, outcome_type="negative" if score < 0.4 else "positive", outcome_score=score)
    return row | {"outcome_at": row["outcome_at"] + timedelta(days=days)} | changes


def test_a_corrected_outcome_replaces_the_old_one_and_is_no_new_label(store):
    take_in(store, [interaction(0)])
    watermark = store.interactions.label_watermark()
    report = take_in(store, [interaction(0, outcome_type="negative", outcome_score=0.1)])

    assert (report.n_updated, report.n_new_labels) == (1, 0)
    assert read(store)["outcome_type"].to_pylist() == ["negative"]
    assert store.interactions.count_labels_after(watermark) == 0


def test_what_was_known_at_a_watermark_stays_so_whatever_is_corrected(store):
    take_in(store, [interaction(number) for number in range(4)])
    points = [(store.interactions.label_watermark(), read(store))]
    for rows in ([corrected(1), corrected(2)], [corrected(2, days=7, score=0.8)], [interaction(9), corrected(9)]):
        take_in(store, rows)
        points.append((store.interactions.label_watermark(), read(store)))

    assert len({watermark for watermark, _ in points}) == len(points)
    for watermark, known in points:
        assert read(store, watermark).equals(known)
        assert read(store, watermark, agents=["agent 1", "agent 2"])["outcome_score"].to_pylist() == [
            row["outcome_score"] for row in known.to_pylist() if row["agent_id"] in ("agent 1", "agent 2")
        ]


def test_corrections_are_counted_exactly_each_interaction_once_where_it_was_known_before(store):
    take_in(store, [interaction(number) for number in range(3)])
    first = store.interactions.label_watermark()
    take_in(store, [corrected(0), interaction(5)])
    second = store.interactions.label_watermark()
    take_in(store, [corrected(0, days=7, score=0.2), corrected(1), corrected(5)])
    # Told again with a later time it is the same outcome.
    take_in(store, [corrected(2, score=0.9)])
    last = store.interactions.label_watermark()

    count = store.interactions.count_corrections_after
    assert [count(point) for point in (None, first, second, last)] == [0, 2, 3, 0]
    assert store.interactions.count_labels_after(first) == 1


def test_an_older_outcome_that_is_told_later_changes_only_when_the_first_arrived(store):
    take_in(store, [corrected(0)])
    watermark = store.interactions.label_watermark()
    take_in(store, [interaction(0)])

    (row,) = read(store).to_pylist()
    assert (row["outcome_score"], row["first_outcome_at"]) == (0.1, interaction(0)["outcome_at"])
    assert read(store, watermark)["first_outcome_at"].to_pylist() == [None]
    assert store.interactions.count_corrections_after(watermark) == 0


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["as it was told", "an older export later"])
@pytest.mark.parametrize(
    ("first", "last"),
    [
        ({"outcome_type": None, "outcome_score": None, "outcome_at": None}, {}),
        ({}, {"outcome_type": "negative", "outcome_score": 0.1}),
        ({"outcome_type": "negative", "outcome_score": 0.1}, {}),
    ],
    ids=["unlabelled then labelled", "positive then negative", "negative then positive"],
)
@pytest.mark.parametrize("at_once", [True, False], ids=["one import", "two imports"])
def test_of_two_tellings_the_later_fact_stands_whatever_the_order_of_arrival(store, order, first, last, at_once):
    told = [interaction(0, **first), interaction(0) | last]
    told[1]["outcome_at"] += timedelta(days=1)
    rows = [told[place] for place in order]
    for part in [rows] if at_once else [[row] for row in rows]:
        take_in(store, part)

    (row,) = read(store).to_pylist()
    assert (row["outcome_type"], row["outcome_score"]) == (told[1]["outcome_type"], told[1]["outcome_score"])
    assert store.interactions.count_labels_after(None) == 1


def test_labels_are_counted_by_arrival_exactly_also_when_the_apps_clock_says_earlier(store):
    take_in(store, [interaction(number) for number in range(1000)])
    watermark = store.interactions.label_watermark()
    take_in(store, [interaction(number - 5000) for number in range(1001)])

    assert store.interactions.count_labels_after(None) == 2001
    assert store.interactions.count_labels_after(watermark) == 1001


def test_reading_up_to_a_watermark_shows_what_was_known_then(store):
    take_in(store, [interaction(number, labelled=number < 3) for number in range(6)])
    then, watermark = read(store), store.interactions.label_watermark()
    take_in(store, [interaction(number) for number in range(12)])

    assert read(store, watermark).equals(then)
    assert store.interactions.read_interactions(watermark).watermark == watermark
    assert read(store).num_rows == 12


def test_reading_goes_beyond_a_thousand_rows(store):
    take_in(store, [interaction(number) for number in range(2500)])

    assert read(store).num_rows == 2500


def test_repeats_within_one_stream_are_counted_once(store):
    report = take_in(store, [interaction(0, labelled=False), interaction(1), interaction(0)])

    assert (report.n_read, report.n_new, report.n_repeated, report.n_new_labels) == (3, 2, 1, 2)


def test_broken_records_are_kept_aside_and_everything_adds_up(store):
    rows = [
        interaction(0),
        interaction(1, outcome_score=0.1),
        interaction(2, scored_at=NOW + timedelta(days=3), outcome_at=NOW + timedelta(days=4)),
        {"record": "{", "problems": ["malformed_record"]},
    ]
    report = take_in(store, rows, max_broken_share=1.0)

    assert (report.n_read, report.n_new, report.n_quarantined) == (4, 1, 3)
    assert report.reasons == {"malformed_record": 1, "outcome_contradicts_score": 1, "timestamp_in_future": 1}
    assert store.interactions.count_labels_after(None) == 1


@pytest.mark.parametrize("n_broken", [35, 100])
def test_a_stream_of_which_too_much_is_broken_is_refused_whole_and_says_by_whom(store, n_broken):
    take_in(store, [interaction(200)])
    rows = [
        interaction(number, agent_id=f"agent {number}", **({"formula_score": 1.5} if number < n_broken else {}))
        for number in range(100)
    ]
    sentence = rf"{n_broken} of 100 records are broken \({n_broken}\.0%.*out_of_range {n_broken}.*100 agents"
    with pytest.raises(ValidationFailedError, match=sentence):
        take_in(store, rows)
    assert read(store).num_rows == 1

    report = take_in(store, rows, max_broken_share=1.0)
    assert (report.n_new, report.n_quarantined) == (100 - n_broken, n_broken)


def test_many_broken_records_of_one_agent_are_set_aside_and_the_others_are_taken_in(store):
    good = [interaction(number, agent_id=f"agent {number}") for number in range(60)]
    bad = [interaction(100 + number, agent_id="loud", formula_score=1.5) for number in range(40)]
    report = take_in(store, good + bad)
    assert (report.n_new, report.n_quarantined) == (60, 40)


def test_a_stream_that_breaks_in_the_middle_leaves_the_store_as_it_was(store):
    take_in(store, [interaction(0)])

    def breaking():
        yield from stream([interaction(number) for number in range(10)]).batches
        raise InputError("the file ends too early")

    with pytest.raises(InputError, match="ends too early"):
        store.interactions.import_interactions(InteractionStream("real", breaking(), "broken"), now=NOW)
    assert store.interactions.count_labels_after(None) == 1


def test_the_kind_is_that_of_the_data_and_hybrid_when_mixed(store):
    take_in(store, [interaction(0)], kind="synthetic")
    assert store.interactions.read_interactions().kind == "synthetic"

    take_in(store, [interaction(1)], kind="real")
    assert store.interactions.read_interactions().kind == "hybrid"


def test_reading_an_empty_store_says_what_to_do(store):
    with pytest.raises(InputError, match="spots-ml import"):
        store.interactions.read_interactions()


@pytest.mark.parametrize("text", ["", "7", "7/8/9", "-1/2", "x/y", "7/8 "])
def test_what_is_no_watermark_is_refused(store, text):
    with pytest.raises(InputError, match="not a watermark"):
        store.interactions.count_labels_after(text)


def test_a_watermark_is_kept_by_the_kind_of_store_that_gave_it_and_by_no_other(store):
    take_in(store, [interaction(0)])
    given = store.interactions.label_watermark()
    of_the_other_kind = given.removeprefix("supabase:") if given.startswith("supabase:") else f"supabase:{given}"

    assert store.interactions.own_watermark(given) == given
    assert store.interactions.own_watermark(of_the_other_kind) is None
    assert store.interactions.own_watermark(None) is None


def test_a_present_without_a_zone_is_refused_before_anything_is_taken_in(store):
    with pytest.raises(InputError, match="has no zone"):
        store.interactions.import_interactions(stream([interaction(0)]), now=NOW.replace(tzinfo=None))
    assert store.interactions.count_labels_after(None) == 0


def test_the_size_of_batches_changes_nothing(new_store):
    rows = [interaction(number % 40, labelled=number > 20) for number in range(60)]

    def imported(batch_rows):
        store = new_store()
        take_in(store, rows, batch_rows=batch_rows)
        return read(store)

    assert imported(60).equals(imported(7))


def test_labels_arrive_in_the_order_of_the_stream_whether_their_interactions_were_known_or_not(store):
    take_in(store, [interaction(number, labelled=False) for number in range(4)])
    take_in(store, [interaction(number) for number in (5, 3, 6, 1)], batch_rows=3)
    prefix, n_labels, n_rows = re.fullmatch(r"(.*?)([0-9]+)/([0-9]+)", store.interactions.label_watermark()).groups()
    arrived = []
    for label in range(1, int(n_labels) + 1):
        known = read(store, f"{prefix}{label}/{n_rows}").to_pylist()
        arrived += {row["opportunity_id"] for row in known if row["outcome_type"]} - set(arrived)

    assert arrived == ["spot 5", "spot 3", "spot 6", "spot 1"]


def test_repeats_in_a_stream_are_taken_in_as_what_they_say_together(store):
    name = RAW_FEATURES[0]
    report = take_in(
        store,
        [
            interaction(0, labelled=False, formula_score=None, **{name: 0.75}),
            interaction(0, is_called=None, **{name: 0.25}),
            interaction(0, outcome_score=0.8, outcome_at=None, **{name: None}),
        ],
    )

    assert (report.n_read, report.n_new, report.n_repeated, report.n_new_labels) == (3, 1, 2, 1)
    expected = stream([interaction(0, **{name: 0.25})])
    assert read(store).equals(pa.Table.from_batches(list(expected.batches), schema=INTERACTIONS))


def test_features_that_become_known_are_added_and_nothing_else_changes(store):
    name = RAW_FEATURES[-1]
    take_in(store, [interaction(0), interaction(1, **{name: None})])
    report = take_in(store, [interaction(1, labelled=False, formula_score=None, **{name: 0.0625})])

    assert (report.n_updated, report.n_new_labels) == (1, 0)
    expected = [interaction(0), interaction(1, **{name: 0.0625})]
    assert read(store).equals(pa.Table.from_batches(list(stream(expected).batches), schema=INTERACTIONS))


def test_an_outcome_sent_with_null_features_erases_none(store):
    take_in(store, [interaction(0, labelled=False)])
    unknown = dict.fromkeys([*RAW_FEATURES, "formula_score", "is_called"])
    report = take_in(store, [interaction(0, **unknown)])

    assert (report.n_updated, report.n_new_labels) == (1, 1)
    assert read(store).equals(pa.Table.from_batches(list(stream([interaction(0)]).batches), schema=INTERACTIONS))


def test_an_older_export_that_is_imported_later_reverts_no_correction(store):
    take_in(store, [interaction(0)])
    take_in(store, [corrected(0)])
    report = take_in(store, [interaction(0)])

    assert (report.n_unchanged, report.n_updated) == (1, 0)
    assert read(store)["outcome_type"].to_pylist() == ["negative"]


def test_an_outcome_of_the_same_millisecond_is_that_of_the_interaction_and_one_beyond_it_is_not(store):
    exact = interaction(0)["scored_at"] + timedelta(microseconds=123_456)
    take_in(store, [interaction(0, labelled=False, scored_at=exact)])
    coarse = interaction(0, scored_at=exact.replace(microsecond=123_000))
    report = take_in(store, [coarse, interaction(0, scored_at=exact.replace(microsecond=124_000))])

    assert (report.n_new, report.n_updated, report.n_new_labels) == (1, 1, 2)
    assert read(store)["scored_at"].to_pylist() == [exact, exact.replace(microsecond=124_000)]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(imports=st.lists(st.lists(records(), max_size=8), min_size=1, max_size=4), batch_rows=st.integers(1, 9))
def test_whatever_is_imported_in_whatever_order_is_what_it_says_together(new_store, imports, batch_rows):
    store, known = new_store(), []
    for rows in imports:
        report = take_in(store, rows, batch_rows=batch_rows)
        before, known = interactions(known), [*known, *rows]
        after = interactions(known)
        n_changed = sum(one != two for one, two in zip(before, after, strict=False))
        n_labels = sum(row["outcome_type"] is not None for row in after)
        n_labels -= sum(row["outcome_type"] is not None for row in before)
        assert (report.n_read, report.n_new, report.n_updated) == (len(rows), len(after) - len(before), n_changed)
        assert (report.n_repeated, report.n_new_labels) == (len(rows) - len({key(row) for row in rows}), n_labels)
        assert store.interactions.count_labels_after(None) == sum(row["outcome_type"] is not None for row in after)
    if known:
        assert [{name: row[name] for name in SAID} for row in read(store).to_pylist()] == interactions(known)


def test_names_of_any_signs_are_told_apart_and_one_with_a_nul_is_kept_aside(store):
    names = ["a", "A", "a ", "ä", "a\u0308", "\"', null", "\\u0000", "😀", "null"]
    broken = [interaction(0, agent_id="a\0"), {"record": "{\0", "problems": ["malformed_record"]}]
    report = take_in(store, [*(interaction(0, agent_id=name) for name in names), *broken], max_broken_share=1.0)

    assert (report.n_new, report.n_quarantined) == (len(names), 2)
    assert report.reasons == {"invalid_encoding": 1, "malformed_record": 1}
    assert read(store)["agent_id"].to_pylist() == names


def test_a_stream_of_nothing_changes_nothing(store):
    assert take_in(store, []).n_read == 0
    assert store.interactions.count_labels_after(store.interactions.label_watermark()) == 0


def test_what_can_be_known_of_an_interaction_is_all_that_need_be(store):
    unknown = dict.fromkeys(["agent_id", "opportunity_id", "scored_at", "formula_score", "is_called", *RAW_FEATURES])
    rows = [interaction(0, **unknown), interaction(0, **unknown | {RAW_FEATURES[0]: 5e-324})]
    report = take_in(store, [*rows, *rows])

    assert (report.n_new, report.n_repeated, report.n_new_labels) == (2, 2, 2)
    assert read(store).equals(pa.Table.from_batches(list(stream(rows).batches), schema=INTERACTIONS))
