"""What every store of what watching found promises."""

from datetime import date

from spots_ml_tests.stores.keeping_watches import watch


def read(store, since=1, until=30, model_type="calling_score"):
    return store.watches.read_watches(model_type, date(2026, 11, since), date(2026, 11, until))


def test_what_was_found_is_read_back_as_it_was_kept(store):
    kept = watch(told='"0.3" > 0.2 🙈')
    store.watches.keep_watch(kept)

    assert read(store) == (kept,)


def test_entries_come_by_day_and_topic_and_each_model_has_its_own(store):
    for day, topic in ((3, "drift"), (1, "performance_fell"), (1, "drift")):
        store.watches.keep_watch(watch(day, topic=topic))
    store.watches.keep_watch(watch(2, model_type="outcome"))

    assert [(one.day.day, one.topic) for one in read(store)] == [(1, "drift"), (1, "performance_fell"), (3, "drift")]
    assert len(read(store, model_type="outcome")) == 1


def test_the_first_day_is_included_and_the_last_is_not(store):
    for day in (1, 2, 3):
        store.watches.keep_watch(watch(day))

    assert [one.day.day for one in read(store, 2, 3)] == [2]


def test_a_day_that_is_measured_again_replaces_its_entry(store):
    store.watches.keep_watch(watch())
    again = watch(found=False, told="nothing")
    store.watches.keep_watch(again)

    assert read(store) == (again,)
