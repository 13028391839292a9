"""What every registry promises of blessings: that they only grow in number, and what is not done without one."""

import pytest

from spots_ml.errors import ConfigError, RegistryError
from spots_ml_tests.registry.blessing import bless, blessing
from spots_ml_tests.registry.building import hours, make_candidate
from spots_ml_tests.stores.keeping_rollouts import alter, new_start, start
from spots_ml_tests.stores.keeping_versions import MODEL, archive, fill, promote, rollback

A, B = "v1.0-synthetic", "v1.1-synthetic"
BY = {"actor": "ann", "reason": "better"}


def promoted(store, version, at=60, **by):
    return store.versions.promote(MODEL, version, now=hours(at), **(BY | by))


def offered(store, version, **by):
    begun = new_start(store, blessed=False, version=version)
    store.rollouts.start_rollout(begun, now=hours(61), **(BY | by))
    return store.versions.get(MODEL, version)


def test_a_blessing_is_read_back_as_it_was_kept(store):
    fill(store, "a")
    comparison = {"lead": 0.1, "one": 1.0, "n": 7, "tiny": 1e-9, "slices": {"new 🙈": [None, True]}}
    kept = store.versions.bless(blessing(A, comparison=comparison), now=hours(3), actor="ann")

    assert store.versions.newest_blessing(MODEL, A, None) == kept
    assert kept.blessing == blessing(A, comparison=comparison)
    assert (kept.at, kept.actor, kept.after_change) == (hours(3), "ann", store.versions.history()[-1].sequence)
    assert store.versions.newest_blessing(MODEL, A, B) is None
    assert store.versions.newest_blessing(MODEL, B, None) is None
    assert store.versions.newest_blessing("outcome", A, None) is None


def test_the_newest_blessing_is_told_by_number_whatever_the_clock_said(store):
    fill(store, "a")
    first = bless(store.versions, MODEL, A, now=hours(90))
    second = bless(store.versions, MODEL, A, now=hours(-90), passed=False)

    assert second.number > first.number
    assert store.versions.newest_blessing(MODEL, A, None) == second


def test_blessings_change_neither_versions_nor_their_history(store):
    fill(store, "a")
    before = store.versions.list_versions(), store.versions.history()
    bless(store.versions, MODEL, A)

    assert (store.versions.list_versions(), store.versions.history()) == before


@pytest.mark.parametrize("change", [promoted, offered])
def test_a_version_that_was_never_compared_is_neither_promoted_nor_offered(store, change):
    fill(store, "a", "b")
    bless(store.versions, MODEL, B)
    before = store.versions.list_versions(), store.versions.history()

    with pytest.raises(RegistryError, match=rf"never compared with the formula; `spots-ml bless {MODEL} {A}`"):
        change(store, A)
    assert (store.versions.list_versions(), store.versions.history()) == before
    bless(store.versions, MODEL, A)
    assert change(store, A).traffic > 0.0


@pytest.mark.parametrize("change", [promoted, offered])
def test_the_newest_verdict_counts_and_a_no_is_told_with_its_sentence(store, change):
    fill(store, "a")
    bless(store.versions, MODEL, A)
    bless(store.versions, MODEL, A, passed=False, sentence='worse at night: "0.03" > 0.02')

    with pytest.raises(RegistryError, match=r'it was not good enough \(worse at night: "0\.03" > 0\.02\); train it'):
        change(store, A)


@pytest.mark.parametrize("change", [promoted, offered])
def test_a_blessing_against_another_champion_says_nothing(store, change):
    fill(store, "a", "b")
    bless(store.versions, MODEL, B)
    promote(store, 0)

    with pytest.raises(RegistryError, match=f"never compared with the active {A}"):
        change(store, B)
    bless(store.versions, MODEL, B)
    assert change(store, B).traffic > 0.0


@pytest.mark.parametrize("change", [promoted, offered])
def test_a_version_that_was_rolled_back_needs_a_blessing_of_since_then(store, change):
    fill(store, "a", "b")
    promote(store, 0)
    promote(store, 1)
    rollback(store)
    if change is offered:
        archive(store, 1)
        store.versions.unarchive(MODEL, B, now=hours(31), **BY)

    with pytest.raises(RegistryError, match=f"compared with the active {A} before it was taken back, and not since"):
        change(store, B)
    bless(store.versions, MODEL, B, now=hours(-5))
    assert change(store, B).traffic > 0.0


@pytest.mark.parametrize("change", [promoted, offered])
def test_a_version_that_was_archived_needs_a_blessing_of_since_then(store, change):
    fill(store, "a")
    start(store, 0)
    archive(store, 0)
    store.versions.unarchive(MODEL, A, now=hours(31), **BY)

    with pytest.raises(RegistryError, match="compared with the formula before it was taken back, and not since"):
        change(store, A)
    bless(store.versions, MODEL, A)
    assert change(store, A).traffic > 0.0


def test_rolling_back_to_a_version_needs_no_blessing(store):
    fill(store, "a", "b")
    promote(store, 0)
    promote(store, 1)

    assert rollback(store) == A


def test_traffic_is_taken_back_without_a_blessing(store):
    fill(store, "a")
    rollout = start(store, 0)
    bless(store.versions, MODEL, A, passed=False)

    for action in ("widened", "promoted"):
        with pytest.raises(RegistryError, match="not good enough"):
            alter(store, rollout, action)
    alter(store, rollout, "ended")
    assert store.versions.get(MODEL, A).traffic == 0.0


def test_a_version_whose_rollout_is_over_needs_a_blessing_of_since_then(store):
    fill(store, "a")
    alter(store, start(store, 0), "rolled_back")

    for change in (promoted, offered):
        with pytest.raises(RegistryError, match="before it was taken back, and not since"):
            change(store, A)
    bless(store.versions, MODEL, A)
    assert offered(store, A).traffic > 0.0


def test_who_steps_around_it_at_the_start_does_so_up_to_the_promotion(store):
    fill(store, "a", "b")
    promote(store, 0)
    offered(store, B, forced=True)
    (rollout,) = store.rollouts.list_rollouts()
    rollout = alter(store, rollout, "widened")
    alter(store, rollout, "promoted")

    assert [(one.action, one.forced) for one in store.versions.history()[-4:]] == [
        *(("traffic_set", True), ("traffic_set", True), ("superseded", False), ("promoted", True))
    ]
    assert [one.cause for one in store.rollouts.rollout_events(1)] == ["by_hand", "evidence", "evidence"]


def test_a_change_of_a_rollout_by_hand_steps_around_it(store):
    fill(store, "a")
    rollout = start(store, 0)
    bless(store.versions, MODEL, A, passed=False)
    alter(store, rollout, "promoted", cause="by_hand", reason="the person is sure")
    last = store.versions.history()[-1]
    assert (last.action, last.forced, last.reason) == ("promoted", True, "rollout-1: the person is sure")


@pytest.mark.parametrize("change", [promoted, offered])
def test_a_person_steps_around_it_with_a_reason_and_the_history_tells(store, change):
    fill(store, "a")
    with pytest.raises(RegistryError, match=r"without a blessing; say why: `--force --reason|say why .* is rolled out"):
        change(store, A, forced=True, reason=" ")

    change(store, A, forced=True, reason="the person is sure")
    last = store.versions.history()[-1]
    assert (last.forced, last.reason.removeprefix("rollout-1: ")) == (True, "the person is sure")


def test_what_was_not_forced_is_told_to_be_so(store):
    fill(store, "a", "b")
    promote(store, 0)
    promoted(store, B, forced=True)

    assert [(one.action, one.forced) for one in store.versions.history()[2:]] == [
        ("promoted", False),
        ("superseded", False),
        ("promoted", True),
    ]


def test_what_cannot_be_promoted_is_not_blessed(store):
    fill(store, "a", "b", "c")
    promote(store, 0)
    archive(store, 2)

    with pytest.raises(RegistryError, match=f"{A} is active; only a staging or a deprecated version is blessed"):
        bless(store.versions, MODEL, A)
    with pytest.raises(RegistryError, match="is archived; only a staging or a deprecated"):
        bless(store.versions, MODEL, "v1.2-synthetic")
    with pytest.raises(RegistryError, match=r"registered are: v1\.0-synthetic"):
        bless(store.versions, MODEL, "v9.9-real")


def test_a_comparison_with_a_champion_of_before_is_not_kept(store):
    fill(store, "a", "b")
    promote(store, 0)

    with pytest.raises(RegistryError, match=rf"with the formula, and by now the active {A} answers; `spots-ml"):
        store.versions.bless(blessing(B, None), now=hours(20), actor="ann")
    rollback(store)
    with pytest.raises(RegistryError, match=rf"with the active {A}, and by now the formula answers; `spots-ml"):
        store.versions.bless(blessing(B, A), now=hours(21), actor="ann")
    assert store.versions.newest_blessing(MODEL, B, A) is None


def test_each_model_has_its_own_blessings(store):
    fill(store, "a")
    store.versions.register(make_candidate("x", model_type="outcome"), now=hours(0), actor="test")
    bless(store.versions, "outcome", A)

    with pytest.raises(RegistryError, match="never compared"):
        promoted(store, A)


def test_who_compares_is_one_line_and_a_blessing_has_its_largest_size(store):
    fill(store, "a")
    with pytest.raises(ConfigError, match="the actor"):
        store.versions.bless(blessing(A), now=hours(1), actor="ann\nbob")
    with pytest.raises(RegistryError, match="expected at most 200,000"):
        store.versions.bless(blessing(A, comparison={"x": "y" * 200_000}), now=hours(1), actor="ann")
    assert store.versions.newest_blessing(MODEL, A, None) is None
