"""How the numbers of a version change while its status stays: its weight, and its traffic while it is rolled out.

Traffic is given to one staging version at a time, by rollouts alone; the active version takes the rest, and a change of
status takes it back. Traffic needs a blessing as promotion does.
"""

from spots_ml.errors import RegistryError
from spots_ml.models.declared import ModelType
from spots_ml.registry.lifecycle import ChangePlan, RegistryState, Setting, VersionChange, demand_blessing, find
from spots_ml.registry.records import Number


def weighing(model_type: ModelType, version: str, weight: float) -> ChangePlan:
    """Decide how the weight of a version changes.

    Args:
        model_type: The model.
        version: Name of a staging or active version.
        weight: Share of the neural score in the hybrid score, in [0, 1].

    Returns:
        A plan with the one change. It raises `RegistryError` when the weight is no share, or the version does not exist
        or is neither in staging nor active.
    """

    def plan(state: RegistryState) -> tuple[VersionChange, ...]:
        require_share("weight", weight)
        found = find(state.versions, model_type, version)
        if found.status not in ("staging", "active"):
            raise RegistryError(
                f"{model_type} {version} is {found.status}; only a staging or an active version is given a weight"
            )
        setting = Setting("weight", found.weight, weight)
        return (VersionChange(version, "weight_set", found.status, found.status, setting),)

    return plan


def offering(
    model_type: ModelType, version: str, traffic: float, *, reason: str = "", forced: bool = False
) -> ChangePlan:
    """Decide how a version is offered to a share of the agents, or taken back.

    Args:
        model_type: The model.
        version: Name of a staging version.
        traffic: Share of the hybrid group that is offered it before the active one, in [0, 1]; 0 takes it back.
        reason: Why; one is needed without a blessing.
        forced: Whether a person steps around the blessing.

    Returns:
        A plan with the one change. It raises `RegistryError` when the traffic is no share, the version does not exist
        or is not in staging, or its blessing is missing; traffic is taken back without one. That one version has
        traffic at a time is up to who asks.
    """

    def plan(state: RegistryState) -> tuple[VersionChange, ...]:
        require_share("traffic", traffic)
        found = find(state.versions, model_type, version)
        if found.status != "staging":
            raise RegistryError(f"{model_type} {version} is {found.status}; only a staging version is rolled out")
        if traffic > 0.0:
            demand_blessing(
                state,
                model_type,
                version,
                to_be="offered to a share of the agents",
                forced=forced,
                reason=reason,
            )
        setting = Setting("traffic", found.traffic, traffic)
        return (VersionChange(version, "traffic_set", "staging", "staging", setting, forced=forced and traffic > 0.0),)

    return plan


def require_share(number: Number, value: float) -> None:
    """Insist that a weight or a traffic is a share.

    Args:
        number: Which of the two.
        value: What it is to become.

    Raises:
        RegistryError: When it is not in [0, 1].
    """
    if not 0.0 <= value <= 1.0:
        raise RegistryError(f"the {number} {value:g} is no share; expected a number in [0, 1]")
