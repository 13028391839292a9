"""Which rollout comes next, and what a newer version does while another one is rolled out: pure, and declared here.

- The newest version in staging comes next, where its newest comparison with what is active now passed. A version that
  was rolled out before, or put away, needs one that was made since.
- Older versions than what is active, or than one that was rolled out already, are passed over: their successor had its
  turn. A person may start any of them.
- After a promotion below the trusted weight the same version is tried at that weight, once; that goes first.
- While a rollout is on its way, a newer version waits for its end or, where the policy says so, ends it and takes its
  place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spots_ml.errors import ArtifactError
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import ON_THE_WAY, Rollout, RolloutEvent, RolloutKind
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import Role
from spots_ml.registry.blessings import KeptBlessing, against, blessing_needed_since
from spots_ml.registry.in_service import active_version
from spots_ml.registry.lifecycle import find
from spots_ml.registry.records import HistoryEntry, ModelVersion


@dataclass(frozen=True)
class RolloutsOfModel:
    """What is known of one model's versions and rollouts, all of one moment.

    Attributes:
        model_type: The model.
        versions: Its versions.
        history: Its entries in the registry's history, in their order.
        rollouts: Its rollouts, by number.
        blessing: From a version and a champion, None: none, to the newest comparison of both.
    """

    model_type: ModelType
    versions: Sequence[ModelVersion]
    history: Sequence[HistoryEntry]
    rollouts: Sequence[Rollout]
    blessing: Callable[[str, str | None], KeptBlessing | None]

    @property
    def active(self) -> ModelVersion | None:
        """The active version; None while none is."""
        return active_version(self.versions)

    @property
    def running(self) -> Rollout | None:
        """The rollout that is on its way; None: there is none."""
        return next((one for one in self.rollouts if one.status in ON_THE_WAY), None)


@dataclass(frozen=True)
class Upcoming:
    """A rollout that may start.

    Attributes:
        kind: What is tried.
        version: The challenger.
        weight: At which it answers.
        champion: The active version; None: none is.
        reason: Why it is this one, for a person.
    """

    kind: RolloutKind
    version: str
    weight: float
    champion: str | None
    reason: str


def next_rollout(known: RolloutsOfModel, policy: RolloutPolicy) -> Upcoming | str:
    """Choose what is rolled out next, whether or not something is on its way.

    Args:
        known: Versions and rollouts of the model.
        policy: The rules.

    Returns:
        What comes next, or a sentence why there is nothing.
    """
    weighed = _weight_to_try(known, policy)
    if weighed is not None:
        return weighed
    fresh = candidates(known)
    if not known.versions:
        return "no version was registered yet"
    if not fresh:
        return "no version in staging is newer than what is active or was rolled out last"
    for version in fresh:
        if why_not_blessed(known, version) is None:
            return challenge(known, version, reason=f"{version.version} is the newest version that may have traffic")
    return f"{fresh[0].version} is not rolled out: {why_not_blessed(known, fresh[0])}"


def to_be_compared(known: RolloutsOfModel) -> ModelVersion | None:
    """Name the version that would come next and was never compared with what is active now.

    Args:
        known: Versions and rollouts of the model.

    Returns:
        The newest that waits; None: it was compared, whatever was found, or none waits.
    """
    newest = next(iter(candidates(known)), None)
    champion = None if known.active is None else known.active.version
    return None if newest is None or known.blessing(newest.version, champion) is not None else newest


def challenge(known: RolloutsOfModel, version: ModelVersion, *, reason: str) -> Upcoming:
    """Describe the rollout of a version against what is active now.

    Args:
        known: Versions and rollouts of the model.
        version: The challenger.
        reason: Why it is this one.

    Returns:
        The rollout; at the champion's weight, where there is one, so that versions are compared and not weights.
    """
    active = known.active
    weight = version.weight if active is None else active.weight
    return Upcoming("version", version.version, weight, None if active is None else active.version, reason)


def candidates(known: RolloutsOfModel) -> list[ModelVersion]:
    """List the versions that may be next, whatever they were compared with.

    Args:
        known: Versions and rollouts of the model.

    Returns:
        Versions in staging that are no older than what is active and any that was rolled out, the newest first.
    """
    tried = {one.version for one in known.rollouts if one.kind == "version"}
    tried |= {one.version for one in known.versions if one.status == "active"}
    last = max((one.last_registered_sequence for one in known.versions if one.version in tried), default=0)
    waiting = [one for one in known.versions if one.status == "staging" and one.last_registered_sequence >= last]
    return sorted(waiting, key=lambda one: one.last_registered_sequence, reverse=True)


def why_not_blessed(known: RolloutsOfModel, version: ModelVersion) -> str | None:
    """Tell what keeps a version from traffic.

    Args:
        known: Versions and rollouts of the model.
        version: One of them.

    Returns:
        A sentence without its subject's name; None: nothing does.
    """
    champion = None if known.active is None else known.active.version
    beside = against(champion, known.model_type)
    kept = known.blessing(version.version, champion)
    if kept is None:
        return f"it was never compared with {beside}"
    if not kept.passed:
        return f"compared with {beside} it was not good enough ({kept.blessing.sentence})"
    if kept.after_change < blessing_needed_since(known.history, version.version):
        again = f"`spots-ml bless {version.model_type} {version.version}` compares them again"
        return f"it was compared with {beside} before it was taken back, and not since; {again}"
    return None


def why_withheld(known: RolloutsOfModel, rollout: Rollout, events: Sequence[RolloutEvent]) -> str | None:
    """Tell why the registry gives a version that is rolled out no more traffic, which it may say at any time.

    Args:
        known: Versions and rollouts of the model.
        rollout: On its way.
        events: What happened to it; a person who started it without a blessing has answered for all of it.

    Returns:
        A sentence without its subject's name, also where the comparison cannot be read; None: nothing keeps it.
    """
    if rollout.kind != "version" or events[0].cause == "by_hand":
        return None
    try:
        return why_not_blessed(known, find(known.versions, rollout.model_type, rollout.version))
    except ArtifactError as error:
        return str(error)


def supersedes(known: RolloutsOfModel, policy: RolloutPolicy) -> Upcoming | None:
    """Tell whether a newer version takes the place of the one that is rolled out.

    Args:
        known: Versions and rollouts of the model.
        policy: The rules.

    Returns:
        What comes in its place; None: it goes on.
    """
    running = known.running
    if running is None or policy.when_busy != "supersede":
        return None
    try:
        upcoming = next_rollout(known, policy)
    except ArtifactError:
        return None  # what cannot be read takes nobody's place; harm is still looked for
    if isinstance(upcoming, str) or upcoming.kind != "version" or upcoming.version == running.version:
        return None
    return upcoming


def _weight_to_try(known: RolloutsOfModel, policy: RolloutPolicy) -> Upcoming | None:
    active = known.active
    if active is None or model_spec(known.model_type).role is not Role.NEURAL_SCORE:
        return None
    if active.weight >= policy.trusted_weight:
        return None
    own = [one for one in known.rollouts if one.version == active.version]
    promoted = [one.number for one in own if one.kind == "version" and one.status == "promoted"]
    # Once per promotion: what people's outcomes did not show for one weight is not asked for again and again.
    if not promoted or any(one.kind == "weight" and one.number > max(promoted) for one in own):
        return None
    reason = f"{active.version} was promoted at {active.weight:g}, below the trusted weight {policy.trusted_weight:g}"
    return Upcoming("weight", active.version, policy.trusted_weight, active.version, reason)
