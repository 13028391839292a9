"""What a step builds on: what its own run made, or the run that it resumes; launched alone, what was made last."""

import dagster as dg
import pytest

from spots_ml_tests.defs.homes import make_home
from spots_ml_tests.defs.two_steps import built, make_elsewhere, two_steps


@pytest.fixture
def instance():
    """One in memory, which asks the same SQL: these tests run many small jobs."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run(instance, *, steps=None, resumed=None, again=None, **options):
    """Run the chain, one step of it, what a failed run left, or one step of a run again.

    Returns the run and the digest it was built on.
    """
    made = {"digest": options.pop("digest", "first"), "fail": options.pop("fail_early", False)}
    ops = {"made": {"config": made}, "built": {"config": options}}
    done = dg.execute_job(
        dg.reconstructable(two_steps),
        instance,
        run_config={"ops": {name: ops[name] for name in steps or ops}},
        asset_selection=steps and [dg.AssetKey(step) for step in steps],
        reexecution_options=(resumed and dg.ReexecutionOptions.from_failure(resumed, instance))
        or (again and dg.ReexecutionOptions(again[0], step_selection=again[1:])),
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


def sentence(instance, run_id):
    """Why the second step of a run refused, in one sentence."""
    (event,) = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    return event.dagster_event.step_failure_data.user_failure_data.description


def told(instance, run_id):
    """What the steps of a run wrote to its log."""
    return [event.user_message for event in instance.all_logs(run_id) if not event.is_dagster_event]


def test_a_resumed_run_does_not_take_what_somebody_else_made_meanwhile_however_much(instance):
    killed, _ = run(instance, digest="before the crash", fail=True)
    run(instance, digest="another's")
    for number in range(30):
        make_elsewhere(instance, f"another's {number}")
    resumed, digest = run(instance, resumed=killed)
    assert digest == "before the crash"
    assert told(instance, resumed) == [f"builds on the made of run {killed}, on which this run goes on"]


def test_it_is_the_same_where_every_run_has_a_database_of_its_own(tmp_path):
    with dg.DagsterInstance.from_config(str(make_home(tmp_path / "home"))) as instance:
        killed, _ = run(instance, digest="before the crash", fail=True)
        make_elsewhere(instance, "another's")
        assert run(instance, resumed=killed)[1] == "before the crash"
        assert run(instance, steps=["built"])[1] == "another's"


def test_a_run_that_goes_on_from_one_that_was_to_make_it_and_did_not_refuses_what_others_made(instance):
    killed, _ = run(instance, fail_early=True)
    make_elsewhere(instance, "another's")
    again, digest = run(instance, again=[killed, "built"])
    assert digest is None
    assert sentence(instance, again) == (
        f"made was to be made by run {killed} and was not, and what others made is not taken instead; "
        "launch the whole job"
    )


def test_a_step_launched_alone_says_which_run_made_what_it_builds_on(instance):
    first, _ = run(instance, digest="first")
    alone, digest = run(instance, steps=["built"])
    assert digest == "first"
    assert told(instance, alone) == [f"builds on the made that was made last, by run {first}"]
    make_elsewhere(instance, "second")
    alone, _ = run(instance, steps=["built"])
    assert told(instance, alone) == ["builds on the made that was made last, outside of any run"]


def test_a_step_launched_alone_and_resumed_builds_on_what_was_there_when_it_was_launched(instance):
    run(instance, digest="there")
    killed, _ = run(instance, steps=["built"], fail=True)
    make_elsewhere(instance, "later")
    assert run(instance, again=[killed, "built"])[1] == "there"


def test_a_step_launched_alone_builds_on_what_was_there_when_its_run_started(instance):
    """So that no two steps of one run build on different things."""
    run(instance, digest="there")
    assert run(instance, steps=["built"], meanwhile="another's")[1] == "there"
    killed, _ = run(instance, steps=["built"], meanwhile="another's again", fail=True)
    assert run(instance, again=[killed, "built"])[1] == "another's"


def test_deleted_history_of_a_run_that_this_one_goes_on_from_is_told_and_nothing_else_is_taken(instance):
    killed, _ = run(instance, digest="deleted", fail=True)
    make_elsewhere(instance, "another's")
    resumed, digest = run(instance, resumed=killed, forget=killed)
    assert digest is None
    assert sentence(instance, resumed) == (
        f"the history of run {killed}, on which this run goes on, was deleted, and with it which made it made; "
        "launch the whole job"
    )


def test_deleted_history_is_no_obstacle_where_a_later_run_made_it_again(instance):
    first, _ = run(instance, fail_early=True)
    second, _ = run(instance, resumed=first, digest="again", fail=True)
    make_elsewhere(instance, "another's")
    assert run(instance, resumed=second, forget=first)[1] == "again"


def test_after_all_history_was_deleted_a_step_alone_says_what_to_do(instance):
    first, _ = run(instance)
    instance.delete_run(first)
    alone, digest = run(instance, steps=["built"])
    assert digest is None
    assert sentence(instance, alone) == (
        "made was never materialised in this Dagster instance, but this step builds on it; "
        "materialise it first, or launch the whole job"
    )
