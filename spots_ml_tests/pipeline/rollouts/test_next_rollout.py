"""Which rollout comes next: declared, and the same whoever asks."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from spots_ml.errors import ArtifactError
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import Rollout, RolloutEvent
from spots_ml.pipeline.rollouts.next_rollout import RolloutsOfModel, Upcoming, next_rollout, supersedes, why_withheld
from spots_ml.registry.blessings import Blessing, KeptBlessing
from spots_ml.registry.records import HistoryEntry, ModelVersion

NOW = datetime(2026, 11, 25, tzinfo=UTC)
POLICY = RolloutPolicy()
NOTHING_NEWER = "no version in staging is newer than what is active or was rolled out last"


def version(name, registered, *, status="staging", weight=0.1, model_type="calling_score", **changes):
    digest = f"{registered:064x}"
    return ModelVersion(
        model_type=model_type,
        version=name,
        **dict.fromkeys(("content_digest", "sha256", "manifest_sha256", "contract_digest", "dataset_digest"), digest),
        source_kind="real",
        source="made up",
        n_labelled=1,
        metrics={},
        status=status,
        weight=weight,
        traffic=1.0 if status == "active" else 0.0,
        created_at=NOW,
        updated_at=NOW,
        last_registered_at=NOW,
        last_registered_sequence=registered,
        watermark=None,
        **changes,
    )


def rollout(number, name, status, *, kind="version", model_type="calling_score"):
    return Rollout(
        model_type=model_type,
        kind=kind,
        version=name,
        weight=0.1,
        champion=None,
        salt=f"{number:032x}",
        policy=POLICY,
        n_before=number - 1,
        n_promoted_before=0,
        level=0.01,
        number=number,
        status=status,
        stage=1,
        started_at=NOW,
        last_event=number,
    )


def started(cause):
    told = {"number": 1, "rollout": 1, "at": NOW, "stage": 1, "share": 0.1, "actor": "a test", "reason": "because"}
    return RolloutEvent(action="started", cause=cause, **told)


def traffic_taken(name, sequence):
    return HistoryEntry(
        sequence=sequence,
        at=NOW,
        model_type="calling_score",
        version=name,
        action="traffic_set",
        from_status="staging",
        to_status="staging",
        actor="a test",
        reason="",
        from_value=0.1,
        to_value=0.0,
    )


@dataclass
class Kept:
    """Comparisons that passed, or did not, by version and champion."""

    passed: dict

    def __call__(self, name, champion):
        found = self.passed.get((name, champion))
        if found is None:
            return None
        good, after = found
        told = Blessing(
            model_type="calling_score", version=name, champion=champion, passed=good, sentence="0.1 against 0.2"
        )
        return KeptBlessing(number=1, after_change=after, at=NOW, actor="a test", blessing=told)


def known(versions, *, rollouts=(), history=(), model_type="calling_score", **passed):
    champion = next((one.version for one in versions if one.status == "active"), None)
    blessed = {(name.replace("_", "."), champion): found for name, found in passed.items()}
    return RolloutsOfModel(model_type, versions, history, rollouts, Kept(blessed))


def test_the_newest_version_that_passed_beside_the_active_one_comes_next_at_its_weight():
    found = next_rollout(
        known(
            [version("v1", 1, status="active", weight=0.3), version("v2", 2), version("v3", 3)],
            v2=(True, 3),
            v3=(True, 3),
        ),
        POLICY,
    )
    assert (found.kind, found.version, found.weight, found.champion) == ("version", "v3", 0.3, "v1")


def test_one_that_was_never_compared_or_was_not_good_enough_gives_way_to_the_next_older():
    versions = [version("v2", 2), version("v3", 3), version("v4", 4)]
    found = next_rollout(known(versions, v2=(True, 4), v3=(False, 4)), POLICY)
    assert (found.version, found.champion, found.weight) == ("v2", None, 0.1)


def test_why_nothing_comes_next_is_said_of_the_newest():
    assert "v3 is not rolled out: it was never compared with the formula" in next_rollout(
        known([version("v3", 3)]), POLICY
    )
    refused = next_rollout(known([version("v3", 3)], v3=(False, 4)), POLICY)
    assert "not good enough (0.1 against 0.2)" in refused
    assert next_rollout(known([]), POLICY) == "no version was registered yet"


def test_a_comparison_with_another_champion_says_nothing():
    versions = [version("v1", 1, status="active", weight=0.3), version("v2", 2)]
    before = RolloutsOfModel("calling_score", versions, (), (), Kept({("v2", None): (True, 9)}))
    assert "never compared with the active v1" in next_rollout(before, POLICY)


@pytest.mark.parametrize(("after", "starts"), [(5, False), (6, True), (7, True)])
def test_a_version_whose_rollout_ended_needs_a_comparison_made_since(after, starts):
    found = next_rollout(
        known(
            [version("v2", 2)],
            rollouts=[rollout(1, "v2", "rolled_back")],
            history=[traffic_taken("v2", 6)],
            v2=(True, after),
        ),
        POLICY,
    )
    assert isinstance(found, Upcoming) == starts


def test_what_is_older_than_a_version_that_had_its_turn_is_passed_over():
    found = next_rollout(
        known(
            [version("v2", 2), version("v3", 3)],
            rollouts=[rollout(1, "v3", "ended")],
            history=[traffic_taken("v3", 6)],
            v2=(True, 3),
            v3=(True, 3),
        ),
        POLICY,
    )
    assert "v3 is not rolled out" in found


def test_what_is_older_than_the_active_version_is_passed_over_although_nobody_rolled_that_out():
    versions = [version("v1", 1), version("v2", 2, status="active", weight=0.3)]
    assert next_rollout(known(versions, v1=(True, 3)), POLICY) == NOTHING_NEWER


def test_a_version_promoted_below_the_trusted_weight_is_tried_at_it_once_and_before_anything_newer():
    versions = [version("v1", 1, status="active"), version("v2", 2)]
    promoted = rollout(1, "v1", "promoted")
    found = next_rollout(known(versions, rollouts=[promoted], v2=(True, 3)), POLICY)
    assert (found.kind, found.version, found.weight, found.champion) == ("weight", "v1", 0.3, "v1")
    tried = rollout(2, "v1", "ended", kind="weight")
    assert next_rollout(known(versions, rollouts=[promoted, tried], v2=(True, 3)), POLICY).version == "v2"


def test_no_weight_is_tried_of_what_nobody_rolled_out_has_it_already_or_has_no_weight():
    by_hand = known([version("v1", 1, status="active")])
    trusted = known([version("v1", 1, status="active", weight=0.3)], rollouts=[rollout(1, "v1", "promoted")])
    other = known(
        [version("v1", 1, status="active", model_type="outcome")],
        rollouts=[rollout(1, "v1", "promoted", model_type="outcome")],
        model_type="outcome",
    )
    assert all(isinstance(next_rollout(one, POLICY), str) for one in (by_hand, trusted, other))


@pytest.mark.parametrize(("rule", "taken"), [("wait", None), ("supersede", "v3")])
def test_a_newer_version_waits_or_supersedes(rule, taken):
    busy = known([version("v2", 2), version("v3", 3)], rollouts=[rollout(1, "v2", "running")], v3=(True, 4))
    found = supersedes(busy, RolloutPolicy(when_busy=rule))
    assert (found and found.version) == taken


def test_a_comparison_that_cannot_be_read_gives_no_more_traffic_and_supersedes_nothing():
    def unreadable(version, champion):
        raise ArtifactError("it is not what it was when it was kept; restore a backup")

    running = rollout(1, "v2", "running")
    found = replace(known([version("v2", 2), version("v3", 3)], rollouts=[running]), blessing=unreadable)
    assert "restore a backup" in why_withheld(found, running, [started("evidence")])
    assert why_withheld(found, running, [started("by_hand")]) is None
    assert supersedes(found, RolloutPolicy(when_busy="supersede")) is None


def test_nothing_supersedes_itself():
    busy = known([version("v2", 2)], rollouts=[rollout(1, "v2", "running")], v2=(True, 4))
    assert supersedes(busy, RolloutPolicy(when_busy="supersede")) is None
