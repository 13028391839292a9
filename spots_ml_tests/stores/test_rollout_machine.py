"""Any changes of versions and rollouts, on clocks that jump, end as in the reference; a refused one changes nothing."""

from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from spots_ml.errors import RegistryError
from spots_ml.experiments.rollout import ROLLOUT_ACTIONS
from spots_ml.experiments.rollout_store import RolloutChangedError
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import hours, make_candidate
from spots_ml_tests.stores.keeping_rollouts import MODEL, alter, record, standing, start, unit, units, version
from spots_ml_tests.stores.reference_registry import NotAllowed, Reference

NUMBERS = st.integers(0, 3)
CLOCKS = st.integers(-500, 500)
ACTIONS = st.sampled_from(ROLLOUT_ACTIONS)
BY = {"actor": "a machine", "reason": "any"}

EXAMPLES = {"embedded": (12, 20), "supabase": (2, 20)}
"""Examples and steps of each; over the API a step takes a tenth of a second, so there are few of them."""

pytestmark = pytest.mark.parametrize("new_store", list(EXAMPLES), indirect=True)


class Registry(RuleBasedStateMachine):
    """Makes the same changes in a store and in the reference."""

    new_store = None

    @initialize()
    def empty(self):
        self.store, self.reference = self.new_store(), Reference()
        self.agents = (f"agent-{number}" for number in count())
        for number in range(3):
            self.register(number, 0)
        self.promote(0, 0)

    def both(self, wanted, made):
        """Both make a change, or neither does."""
        try:
            wanted()
        except NotAllowed:
            with pytest.raises(RegistryError):
                made()
        else:
            made()

    @rule(number=NUMBERS, at=CLOCKS)
    def register(self, number, at):
        candidate = make_candidate(f"{number}", version(number))
        self.both(
            lambda: self.reference.register(number),
            lambda: self.store.versions.register(candidate, now=hours(at), actor="a machine"),
        )

    @rule(number=NUMBERS, at=CLOCKS)
    def promote(self, number, at):
        self.both(
            lambda: self.reference.promote(number),
            lambda: promote_blessed(self.store.versions, MODEL, version(number), now=hours(at), **BY),
        )

    @rule(verb=st.sampled_from(["rollback", "withdraw"]), at=CLOCKS)
    def go_back(self, verb, at):
        self.both(getattr(self.reference, verb), lambda: getattr(self.store.versions, verb)(MODEL, now=hours(at), **BY))

    @rule(verb=st.sampled_from(["archive", "unarchive"]), number=NUMBERS, at=CLOCKS)
    def put_away(self, verb, number, at):
        self.both(
            lambda: getattr(self.reference, verb)(number),
            lambda: getattr(self.store.versions, verb)(MODEL, version(number), now=hours(at), **BY),
        )

    @rule(number=NUMBERS, weight=st.sampled_from([0.1, 0.2, 0.3]), at=CLOCKS)
    def weigh(self, number, weight, at):
        self.both(
            lambda: self.reference.weigh(number, weight),
            lambda: self.store.versions.set_weight(MODEL, version(number), weight, now=hours(at), **BY),
        )

    @rule(number=NUMBERS, kind=st.sampled_from(["version", "version", "weight"]), at=CLOCKS)
    def start(self, number, kind, at):
        if kind == "weight" and self.reference.active is not None:
            number = self.reference.active
        self.both(
            lambda: self.reference.start(number, kind, 0.3),
            lambda: start(self.store, number, at, kind=kind, weight=0.3),
        )

    @rule(action=ACTIONS, at=CLOCKS)
    def change(self, action, at):
        if rollouts := self.store.rollouts.list_rollouts():
            last = len(rollouts) - 1
            self.both(lambda: self.reference.change(last, action), lambda: alter(self.store, rollouts[-1], action, at))

    @rule(action=ACTIONS | st.none(), n_agents=st.integers(0, 4), at=CLOCKS)
    def look(self, action, n_agents, at):
        if rollouts := self.store.rollouts.list_rollouts():
            rollout, new = rollouts[-1], [next(self.agents) for _ in range(n_agents)]
            found = units(rollout, *new, stage=rollout.stage, at=at)
            n_units = self.reference.rollouts[-1]["units"] + found.num_rows
            self.both(
                lambda: self.reference.look(len(rollouts) - 1, found.num_rows, action),
                lambda: record(self.store, rollout, found, action, at, n_units=n_units),
            )

    @rule(action=ACTIONS)
    def come_late(self, action):
        """Who has not seen the last event is told so, whatever he wants."""
        if rollouts := self.store.rollouts.list_rollouts():
            with pytest.raises(RolloutChangedError):
                alter(self.store, rollouts[-1], action, after=rollouts[-1].last_event + 1)

    @rule()
    def give_a_unit_twice(self):
        last = self.store.rollouts.list_rollouts()[-1:]
        if last and last[0].share and self.reference.rollouts[-1]["units"]:
            known = self.store.rollouts.rollout_units(last[0].number).to_pylist()[0]
            again = unit(last[0], known["agent_id"], known["stage"])
            found = units(last[0], known["agent_id"], stage=known["stage"]) if again else None
            with pytest.raises(RegistryError, match="units are kept once"):
                record(self.store, last[0], found)

    @invariant()
    def both_are_alike(self):
        assert standing(self.store) == self.reference.versions()
        found = [(one.version, one.kind, one.status, one.stage) for one in self.store.rollouts.list_rollouts()]
        assert found == [
            (version(one["version"]), one["kind"], one["status"], one["stage"]) for one in self.reference.rollouts
        ]
        for number, one in list(enumerate(self.reference.rollouts, 1))[-2:]:
            events = self.store.rollouts.rollout_events(number)
            assert [event.action for event in events] == one["events"]
            assert [event.number for event in events] == sorted({event.number for event in events})
            numbers = self.store.rollouts.rollout_units(number)["number"].to_pylist()
            assert numbers == list(range(1, one["units"] + 1))
            assert len(self.store.rollouts.rollout_looks(number)) == one["looks"]


def test_any_changes_end_as_in_the_reference(new_store, request):
    n_examples, n_steps = EXAMPLES[request.node.callspec.params["new_store"]]
    machine = type("AnyRegistry", (Registry,), {"new_store": staticmethod(new_store)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=n_examples,
            stateful_step_count=n_steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
