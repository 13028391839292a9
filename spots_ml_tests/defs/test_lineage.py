"""What a step builds on: what its own run made, or the run that it resumes; launched alone, what was made last."""

import dagster as dg
import pytest

from spots_ml_tests.defs.two_steps import built, make_elsewhere, two_steps


@pytest.fixture
def instance(tmp_path):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance


def run(instance, *, steps=None, resumed=None, **options):
    """Run the chain, one step of it, or what a failed run left; returns the run and the digest it was built on."""
    ops = {"made": {"config": {"digest": options.pop("digest", "first")}}, "built": {"config": options}}
    done = dg.execute_job(
        dg.reconstructable(two_steps),
        instance,
        run_config={"ops": {name: ops[name] for name in steps or ops}},
        asset_selection=steps and [dg.AssetKey(step) for step in steps],
        reexecution_options=resumed and dg.ReexecutionOptions.from_failure(resumed, instance),
    )
    events = [event for event in done.get_asset_materialization_events() if event.asset_key == built.key]
    found = [event.step_materialization_data.materialization.metadata["digest"].value for event in events]
    return done.run_id, next(iter(found), None)


def test_a_run_builds_on_what_it_made_itself_although_something_newer_was_made_elsewhere(instance):
    assert run(instance, digest="mine", meanwhile="another's")[1] == "mine"


def test_a_run_builds_on_what_it_made_itself_and_not_on_what_was_made_before(instance):
    run(instance, digest="earlier")
    assert run(instance, digest="mine")[1] == "mine"


def test_a_resumed_run_builds_on_what_the_run_that_was_killed_had_made(instance):
    run(instance, digest="earlier")
    killed, nothing = run(instance, digest="before the crash", fail=True)
    assert nothing is None
    again, nothing = run(instance, resumed=killed, fail=True)
    assert nothing is None
    assert run(instance, resumed=again)[1] == "before the crash"


def test_a_step_launched_alone_builds_on_what_was_made_last_by_whomever(instance):
    run(instance, digest="first")
    run(instance, steps=["made"], digest="second")
    assert run(instance, steps=["built"])[1] == "second"
    make_elsewhere(instance, "third")
    assert run(instance, steps=["built"])[1] == "third"
