"""Carrying a registry over: into another embedded store, and into a Supabase project."""

import pytest

from spots_ml.errors import GateError, RegistryError
from spots_ml.registry import records
from spots_ml.registry.published_files import published_files
from spots_ml.registry.registration import register_version
from spots_ml.stores.embedded.registry.versions import EmbeddedVersionStore
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.stores.sync import carry_over
from spots_ml.stores.sync_moves import REASON
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import all_verdicts, hours, make_candidate, make_manifest, onnx_bytes

MODEL = "calling_score"

# Bulk reads straight from Postgres have no part in a registry.
pytestmark = pytest.mark.parametrize("new_store", ["embedded", "supabase"], indirect=True)


@pytest.fixture
def source(tmp_path):
    return embedded_store(tmp_path / "source.sqlite").versions


@pytest.fixture
def models_dir(tmp_path):
    return tmp_path / "models"


@pytest.fixture
def target(store):
    return store.versions


def name(number):
    return f"v1.{number}-synthetic"


def fill(store, models_dir, n, model_type=MODEL):
    for number in range(n):
        register_version(
            store,
            models_dir,
            onnx=onnx_bytes(f"{model_type} {number}"),
            manifest=make_manifest(f"{model_type} {number}", name(number), model_type, watermark="3/4"),
            now=hours(number),
            actor="test",
        )


def promote(store, number):
    promote_blessed(store, MODEL, name(number), now=hours(50), actor="ann", reason="better")


def rollback(store):
    return store.rollback(MODEL, now=hours(51), actor="ann", reason="worse").version


def archive(store, number):
    store.archive(MODEL, name(number), now=hours(52), actor="ann", reason="old")


def live(store):
    """A life with everything that can happen: version 4 is rejected, 1 is put away, 2 and 3 are rolled back."""
    promote(store, 0)
    promote(store, 1)
    archive(store, 4)
    promote(store, 2)
    archive(store, 1)
    promote(store, 3)
    rollback(store)
    rollback(store)


def withdraw(store):
    store.withdraw(MODEL, now=hours(53), actor="ann", reason="none of them")


def unarchive(store, number):
    store.unarchive(MODEL, name(number), now=hours(54), actor="ann", reason="needed")


def carry(source, models_dir, target):
    return carry_over(source, models_dir, target, clock=lambda: hours(100), actor="mover")


def same(version):
    """All but its number, which each registry gives itself."""
    return version.model_dump(exclude={"last_registered_sequence"})


def outcomes(carried):
    return [(one.outcome, one.source_status, one.target_status) for one in carried]


def statuses(store):
    return {(one.model_type, one.version): one.status for one in store.list_versions()}


def damage(models_dir, number):
    (models_dir / MODEL / name(number) / "model.onnx").write_bytes(b"something else")


def test_versions_arrive_as_they_are_with_their_files(source, models_dir, target, tmp_path):
    fill(source, models_dir, 2)
    fill(source, models_dir, 1, "outcome")
    carry(source, models_dir, target)

    elsewhere = tmp_path / "elsewhere" if target.fetch_files(source.get(MODEL, name(0))) else models_dir
    for version in source.list_versions():
        assert same(target.get(version.model_type, version.version)) == same(version) | {"watermark": None}
        assert published_files(target, elsewhere, version) == published_files(source, models_dir, version)
    assert {entry.actor for entry in target.history()} == {"mover"}


def test_blessings_come_along_and_what_was_forced_or_older_than_blessings_is_forced_there(source, models_dir, target):
    fill(source, models_dir, 3)
    promote(source, 0)
    source.promote(MODEL, name(1), now=hours(51), actor="ann", reason="sure", forced=True)
    promote(source, 2)
    carry(source, models_dir, target)

    assert (
        target.newest_blessing(MODEL, name(0), None).blessing == source.newest_blessing(MODEL, name(0), None).blessing
    )
    assert target.newest_blessing(MODEL, name(1), name(0)) is None
    assert target.newest_blessing(MODEL, name(2), name(1)).actor == "mover"
    told = {(one.version, one.action): one.forced for one in target.history() if one.action != "registered"}
    assert told == {
        (name(0), "promoted"): False,
        (name(0), "superseded"): False,
        (name(1), "promoted"): True,
        (name(1), "superseded"): False,
        (name(2), "promoted"): False,
    }


def test_a_life_is_repeated_so_that_a_rollback_means_the_same(source, models_dir, target):
    fill(source, models_dir, 6)
    live(source)
    promote(source, 5)
    carried = carry(source, models_dir, target)

    assert statuses(target) == statuses(source)
    assert [one.outcome for one in carried] == ["added"] * 6
    assert [one.detail for one in carried] == [""] * 6
    assert {entry.reason for entry in target.history() if entry.action != "registered"} == {REASON}
    assert rollback(target) == rollback(source) == name(0)


def test_every_way_back_is_repeated_step_by_step_and_once(source, models_dir, target):
    fill(source, models_dir, 4)
    steps = [
        lambda: promote(source, 0),
        lambda: archive(source, 2),
        lambda: rollback(source),
        lambda: promote(source, 0),
        lambda: promote(source, 1),
        lambda: archive(source, 0),
        lambda: rollback(source),
        lambda: unarchive(source, 0),
        lambda: promote(source, 0),
        lambda: withdraw(source),
        lambda: promote(source, 1),
        lambda: source.register(make_candidate(f"{MODEL} 2", name(2)), now=hours(70), actor="test"),
        lambda: archive(source, 2),
    ]
    for step in steps[:5]:
        step()
    carry(source, models_dir, target)
    assert statuses(target) == statuses(source)
    for step in steps[5:]:
        step()
    carry(source, models_dir, target)
    assert statuses(target) == statuses(source)
    before = target.history()
    assert [one.detail for one in carry(source, models_dir, target)] == [""] * 4
    assert target.history() == before
    assert rollback(target) == rollback(source) == name(1)
    assert statuses(target) == statuses(source)


def test_the_second_time_nothing_is_left_to_do(source, models_dir, target):
    fill(source, models_dir, 2)
    promote(source, 0)
    promote(source, 1)
    carry(source, models_dir, target)
    before = target.history()

    assert {one.outcome for one in carry(source, models_dir, target)} == {"known"}
    assert target.history() == before


def test_what_happened_since_is_carried_over_the_next_time(source, models_dir, target):
    fill(source, models_dir, 3)
    promote(source, 0)
    carry(source, models_dir, target)

    source.register(make_candidate(f"{MODEL} 1", name(1)), now=hours(60), actor="test")
    promote(source, 1)
    archive(source, 0)
    carry(source, models_dir, target)
    assert statuses(target) == statuses(source)
    assert target.newest(MODEL).version == name(1)
    assert target.get(MODEL, name(1)).last_registered_at == hours(60)


def test_the_newest_is_the_newest_there_whatever_clocks_said(source, models_dir, target):
    fill(source, models_dir, 3)
    source.register(make_candidate(f"{MODEL} 0", name(0)), now=hours(900), actor="a clock ahead")
    source.register(make_candidate(f"{MODEL} 1", name(1)), now=hours(-900), actor="a clock behind")
    carry(source, models_dir, target)
    assert target.newest(MODEL).version == source.newest(MODEL).version == name(1)
    before = target.history()

    carry(source, models_dir, target)
    assert target.history() == before


class Killed(BaseException):
    pass


class MortalStore:
    """Passes everything on until it has made a number of changes; dies before or after the next one."""

    def __init__(self, store, n_changes, after):
        self._store, self._left, self._after = store, n_changes, after

    def __getattr__(self, method):
        act = getattr(self._store, method)
        if method not in ("keep_files", "register", "promote", "rollback", "archive"):
            return act

        def change(*arguments, **named):
            self._left -= 1
            if self._left < 0 and not self._after:
                raise Killed
            made = act(*arguments, **named)
            if self._left < 0:
                raise Killed
            return made

        return change


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_change_it_goes_on_from_there(source, models_dir, new_store, after):
    fill(source, models_dir, 3)
    promote(source, 0)
    promote(source, 1)
    archive(source, 2)
    rollback(source)
    untouched = new_store().versions
    carry(source, models_dir, untouched)
    expected = [(entry.version, entry.action) for entry in untouched.history()]

    n_changes = 0
    while True:
        target = new_store().versions
        try:
            carry(source, models_dir, MortalStore(target, n_changes, after))
            break
        except Killed:
            carry(source, models_dir, target)
        assert statuses(target) == statuses(source)
        assert [(entry.version, entry.action) for entry in target.history()] == expected
        n_changes += 1
    assert n_changes == 2 * 3 + 4


def test_damaged_files_are_told_and_the_rest_is_carried_over(source, models_dir, target):
    fill(source, models_dir, 3)
    promote(source, 2)
    damage(models_dir, 1)
    carried = carry(source, models_dir, target)

    assert outcomes(carried) == [
        ("added", "staging", "staging"),
        ("refused", "staging", None),
        ("added", "active", "active"),
    ]
    assert "damaged" in carried[1].detail


def test_no_version_becomes_active_while_one_that_was_active_is_missing(source, models_dir, target):
    fill(source, models_dir, 3)
    promote(source, 0)
    promote(source, 1)
    archive(source, 2)
    whole = (models_dir / MODEL / name(0) / "model.onnx").read_bytes()
    damage(models_dir, 0)
    carried = carry(source, models_dir, target)

    assert outcomes(carried)[1:] == [("left", "active", "staging"), ("added", "archived", "archived")]
    assert f"{name(0)} is not there" in carried[1].detail

    (models_dir / MODEL / name(0) / "model.onnx").write_bytes(whole)
    carry(source, models_dir, target)
    assert statuses(target) == statuses(source)


def test_a_version_from_before_a_gate_was_asked_for_is_told(source, models_dir, target, monkeypatch):
    manifest = make_manifest("old", verdicts=all_verdicts()[:2])
    with monkeypatch.context() as earlier:
        earlier.setattr(records, "REQUIRED_GATES", records.REQUIRED_GATES[:2])
        register_version(source, models_dir, onnx=onnx_bytes("old"), manifest=manifest, now=hours(0), actor="test")
    (carried,) = carry(source, models_dir, target)

    assert (carried.outcome, carried.target_status) == ("refused", None)
    assert "no verdict" in carried.detail


def test_a_version_of_before_the_decision_was_measured_is_carried_over(source, models_dir, target, monkeypatch):
    manifest = make_manifest("old", schema_version=1, verdicts=all_verdicts()[:4])
    with monkeypatch.context() as earlier:
        earlier.setattr(records, "REQUIRED_GATES", records.EARLIER_GATES)
        register_version(source, models_dir, onnx=onnx_bytes("old"), manifest=manifest, now=hours(0), actor="test")
    with pytest.raises(GateError, match="decision_effect"):
        register_version(target, models_dir, onnx=onnx_bytes("old"), manifest=manifest, now=hours(0), actor="test")
    (carried,) = carry(source, models_dir, target)

    assert (carried.outcome, carried.target_status) == ("added", "staging")


def test_a_version_that_no_client_runtime_ran_is_told_and_the_rest_is_carried_over(source, models_dir, target):
    fill(source, models_dir, 1)
    certificate = make_manifest("old").certificate.model_copy(update={"runtimes": ()})
    manifest = make_manifest("old", name(1), certificate=certificate)
    register_version(source, models_dir, onnx=onnx_bytes("old"), manifest=manifest, now=hours(1), actor="test")
    carried = carry(source, models_dir, target)

    assert carried[0].outcome == "added"
    if isinstance(target, EmbeddedVersionStore):
        assert carried[1].outcome == "added"  # it serves no phones
    else:
        assert (carried[1].outcome, carried[1].target_status) == ("refused", None)
        assert "no answer of the client's runtime" in carried[1].detail


def test_names_that_mean_something_else_there_stop_everything(source, models_dir, target):
    fill(source, models_dir, 3)
    target.register(make_candidate("other", name(1)), now=hours(0), actor="test")
    target.register(make_candidate(f"{MODEL} 2", "v3.0-synthetic"), now=hours(0), actor="test")
    before = target.history()

    with pytest.raises(RegistryError) as caught:
        carry(source, models_dir, target)
    here, there = source.get(MODEL, name(1)).content_digest[:12], target.get(MODEL, name(1)).content_digest[:12]
    assert f"{MODEL} {name(1)} is the content {here} here and {there} there" in str(caught.value)
    assert f"{MODEL} {name(2)} is registered there as v3.0-synthetic" in str(caught.value)
    assert target.history() == before


def test_a_target_that_has_gone_on_keeps_its_own_choice(source, models_dir, target):
    fill(source, models_dir, 3)
    promote(source, 0)
    carry(source, models_dir, target)
    promote(target, 1)
    archive(source, 2)
    carried = carry(source, models_dir, target)

    assert outcomes(carried) == [
        ("known", "active", "deprecated"),
        ("known", "staging", "active"),
        ("known", "archived", "archived"),
    ]
    assert "gone on since" in carried[0].detail


def test_a_target_with_an_active_version_of_its_own_keeps_it(source, models_dir, target):
    target.register(make_candidate("own", "v9.0-real"), now=hours(0), actor="test")
    promote_blessed(target, MODEL, "v9.0-real", now=hours(1), actor="bob", reason="ours")
    fill(source, models_dir, 2)
    promote(source, 0)
    carried = carry(source, models_dir, target)

    assert outcomes(carried) == [("left", "active", "staging"), ("added", "staging", "staging")]
    assert "went its own way" in carried[0].detail
    assert target.get(MODEL, "v9.0-real").status == "active"


def test_a_version_put_away_there_that_is_promoted_here_is_told(source, models_dir, target):
    fill(source, models_dir, 1)
    carry(source, models_dir, target)
    archive(target, 0)
    promote(source, 0)
    (carried,) = carry(source, models_dir, target)

    assert (carried.outcome, carried.target_status) == ("left", "archived")
    assert "is archived and cannot be promoted" in carried.detail


def weigh(store, number, weight, **by):
    store.set_weight(MODEL, name(number), weight, now=hours(53), **{"actor": "ann", "reason": "surer"} | by)


def settings(store):
    return {one.version: (one.status, one.weight, one.traffic) for one in store.list_versions()}


def test_weights_are_those_of_the_source_and_follow_it(source, models_dir, target):
    fill(source, models_dir, 3)
    promote(source, 0)
    weigh(source, 0, 0.4)
    promote(source, 1)
    weigh(source, 1, 0.3)
    carry(source, models_dir, target)
    assert settings(target) == settings(source)

    weigh(source, 1, 0.6)
    carry(source, models_dir, target)
    assert settings(target) == settings(source)
    n_entries = len(target.history())
    carry(source, models_dir, target)
    assert len(target.history()) == n_entries


def test_a_weight_that_somebody_set_in_the_target_stays(source, models_dir, target):
    fill(source, models_dir, 2)
    carry(source, models_dir, target)
    weigh(target, 0, 0.7)
    weigh(source, 0, 0.2)
    weigh(source, 1, 0.3)
    carry(source, models_dir, target)
    assert settings(target) == {name(0): ("staging", 0.7, 0.0), name(1): ("staging", 0.3, 0.0)}
