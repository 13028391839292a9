"""What every log of requests for a retraining promises."""

import threading
from datetime import timedelta

import pytest

from spots_ml.errors import ConfigError, InputError
from spots_ml_tests.registry.building import make_candidate
from spots_ml_tests.stores.keeping_refusals import refused
from spots_ml_tests.stores.keeping_requests import NOW, request


@pytest.fixture
def log(store):
    return store.retraining_requests


def numbers(log, model_type="calling_score"):
    return [one.number for one in log.open_requests(model_type)]


def register(store, name="first", version="v1.0-real", model_type="calling_score"):
    return store.versions.register(make_candidate(name, version, model_type), now=NOW, actor="a test")


def test_a_request_is_read_back_as_it_was_asked_with_a_number_and_its_moment(log):
    asked = request(reason='the app sends "new" inputs 🙈', anew=True)
    number = log.ask(asked, now=NOW)

    (found,) = log.open_requests("calling_score")
    assert found.model_dump(exclude={"number", "asked_at", "taking"}) == asked.model_dump()
    assert (found.number, found.asked_at, found.taking) == (number, NOW, None)


def test_they_come_by_number_and_each_model_has_its_own(log):
    first, second = log.ask(request(), now=NOW), log.ask(request(), now=NOW - timedelta(days=3))
    log.ask(request(model_type="outcome"), now=NOW)

    assert numbers(log) == [first, second] and first < second


@pytest.mark.parametrize("changes", [{"reason": "two\nlines"}, {"actor": "x\u2028y"}, {"reason": "a\x1b[2J"}])
def test_a_text_that_is_no_line_is_refused_and_nothing_is_kept(log, changes):
    with pytest.raises(ConfigError, match="cannot be printed"):
        log.ask(request(**changes), now=NOW)
    assert numbers(log) == []


def test_a_moment_without_a_zone_is_refused(log):
    with pytest.raises(InputError, match="has no zone"):
        log.ask(request(), now=NOW.replace(tzinfo=None))


def test_a_request_stays_open_while_it_is_taken_and_says_by_whom(log):
    number = log.ask(request(), now=NOW)
    assert log.take(log.open_requests("calling_score"), taker="one", now=NOW) == (number,)

    (found,) = log.open_requests("calling_score")
    assert (found.taking.taker, found.taking.taken_at) == ("one", NOW)


def test_of_two_who_read_the_same_one_gets_it(log):
    log.ask(request(), now=NOW)
    read = log.open_requests("calling_score")
    got = []
    takers = [
        threading.Thread(target=lambda name=name: got.append(log.take(read, taker=name, now=NOW)))
        for name in ("one", "two", "three")
    ]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()

    assert sorted(map(len, got)) == [0, 0, 1]


def test_who_takes_several_gets_those_that_are_left(log):
    first = log.ask(request(), now=NOW)
    read_before = log.open_requests("calling_score")
    second = log.ask(request(), now=NOW)
    read = log.open_requests("calling_score")
    assert log.take(read_before, taker="one", now=NOW) == (first,)

    assert log.take(read, taker="two", now=NOW) == (second,)
    assert [one.taking.taker for one in log.open_requests("calling_score")] == ["one", "two"]


def test_a_request_is_taken_again_by_who_knows_of_the_last_taking(log):
    log.ask(request(), now=NOW)
    for _ in range(2):
        assert log.take(log.open_requests("calling_score"), taker="one", now=NOW)


def test_a_version_that_is_registered_after_it_was_taken_answers_it(store, log):
    log.ask(request(), now=NOW)
    register(store)
    assert numbers(log)

    log.take(log.open_requests("calling_score"), taker="one", now=NOW)
    assert numbers(log)
    register(store)  # the same content: reaffirmed
    assert numbers(log) == []


def test_a_refusal_after_it_was_taken_answers_it(store, log):
    store.refusals.keep_refusal(refused(), now=NOW)
    log.ask(request(), now=NOW)
    log.take(log.open_requests("calling_score"), taker="one", now=NOW)
    store.refusals.keep_refusal(refused(model_type="outcome"), now=NOW)
    assert numbers(log)

    store.refusals.keep_refusal(refused(), now=NOW)
    assert numbers(log) == []


def test_what_answers_one_answers_no_later_one_and_no_other_model(store, log):
    log.ask(request(), now=NOW)
    log.ask(request(model_type="outcome"), now=NOW)
    for model_type in ("calling_score", "outcome"):
        log.take(log.open_requests(model_type), taker="one", now=NOW)
    later = log.ask(request(), now=NOW)
    register(store)

    assert numbers(log) == [later] and len(numbers(log, "outcome")) == 1


def test_a_promotion_answers_nothing(store, log):
    register(store)
    log.ask(request(), now=NOW)
    log.take(log.open_requests("calling_score"), taker="one", now=NOW)
    store.versions.set_weight("calling_score", "v1.0-real", 0.2, now=NOW, actor="a test", reason="")

    assert numbers(log)
