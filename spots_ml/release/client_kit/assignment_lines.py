"""Golden lines for rollouts: an agent, what the phone's manifest says of each model, and what then decides.

What comes out is what the service computes (`scoring.assignment`), so that an app that agrees with these lines treats
the very agents that the evidence counts as treated.
"""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from spots_ml.errors import ConfigError
from spots_ml.models.declared import deciding_models, model_in
from spots_ml.models.spec import Role
from spots_ml.scoring.arms import FORMULA_ARM, Arm, arm_id, treating
from spots_ml.scoring.assignment import FORMULA_BASED, FactorialAssignment, group_of, place_of
from spots_ml.scoring.challengers import Challenger

AssignmentLine = dict[str, Any]
"""`situation`, `agent_id`, `models` (as much of the phone's manifest as a draw needs) and what must come out of them:
`group`, `places`, `treated`, `versions`, `weight`, `filter_on`, `experiment`, `stage`, or `refused`."""

SALTS: Final = ("5f0e61b2c3d44a7f9d1b0c8e7a6f5d43", "0123456789abcdef0123456789abcdef")
EDGES: Final = (
    *("agent-83", "agent-117", "agent-ß", "agent-é", "agent-e\N{COMBINING ACUTE ACCENT}", "agent:with:colons"),
    *("\N{GRINNING FACE}", " agent with blanks ", "AGENT-83", "x" * 300, "00000000-0000-4000-8000-00000000000a"),
)
"""Ids that another encoding, a trim or another case would place elsewhere."""
HALVES: Final = ("agent-\ud83d", "\udc00agent", "\ude00\ud83d")
"""Ids with half of a surrogate pair, which is no text: each half is taken as U+FFFD."""

_N_DRAWN: Final = 24
_ANY_MOMENT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_NOTHING: Final = {"active": None, "rolling_out": None}


def assignment_lines() -> list[AssignmentLine]:
    """Make the golden lines for rollouts.

    Returns:
        Lines for every rule and its edges, then drawn agents; the same in every call.
    """
    return [_line(*one) for one in _situations()]


def assignment_text(lines: list[AssignmentLine]) -> bytes:
    """Write the lines as they stand in a kit.

    Args:
        lines: Of `assignment_lines`.

    Returns:
        JSON lines in ASCII: half of a surrogate pair can be written as nothing but its escape.
    """
    texts = (json.dumps(line, sort_keys=True, separators=(",", ":"), allow_nan=False) for line in lines)
    return "".join(f"{text}\n" for text in texts).encode("ascii")


def _situations() -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    kinds = [spec.name for spec in deciding_models()]
    neural, outcome = (model_in(role).name for role in (Role.NEURAL_SCORE, Role.OUTCOME_FILTER))
    active = {kind: {"active": _version("v1.0-real", 0.1), "rolling_out": None} for kind in kinds}

    def offering(model_type: str, traffic: float, **values: Any) -> dict[str, Any]:
        return {
            **active,
            model_type: {**active[model_type], "rolling_out": _offer(kinds, model_type, traffic, **values)},
        }

    both = {
        kind: {**active[kind], "rolling_out": _offer(kinds, kind, 0.5, stage=2 if kind == neural else 1)}
        for kind in kinds
    }
    hybrid = next(name for name in _numbered() if group_of(name) != FORMULA_BASED)
    place = place_of(hybrid, SALTS[0])
    yield "nothing is active", hybrid, dict.fromkeys(kinds, _NOTHING)
    yield "nothing is rolled out", hybrid, active
    yield "agent unknown", None, both
    yield (
        "a manifest of the first layout: for nobody",
        hybrid,
        {
            kind: {**model, "rolling_out": {**_version("v1.1-real", 0.2), "traffic": 1.0}}
            for kind, model in active.items()
        },
    )
    yield "the place is the traffic: not treated", hybrid, offering(neural, place)
    yield (
        "the place is the last number below the traffic: treated",
        hybrid,
        offering(neural, math.nextafter(place, 1.0)),
    )
    yield "the least traffic", hybrid, offering(neural, 2.0**-53)
    yield "all traffic", hybrid, offering(neural, 1.0)
    yield "all traffic, another salt", hybrid, offering(neural, 1.0, salt=SALTS[1])
    for number in range(6):
        name = f"agent-{number + 1}"
        yield "another weight of the active version", name, offering(neural, 0.5, version="v1.0-real", weight=0.3)
        yield (
            "rolled out against the formula",
            name,
            {
                **offering(neural, 0.5),
                neural: {"active": None, "rolling_out": _offer(kinds, neural, 0.5)},
            },
        )
        yield (
            "rolled out against the outcome rule",
            name,
            {
                **active,
                outcome: {"active": None, "rolling_out": _offer(kinds, outcome, 0.5)},
            },
        )
        yield "an outcome version whose filter is off", name, offering(outcome, 0.5, filter_on=False)
    for name in EDGES:
        yield f"agent id {name[:40]!r}", name, both
    for name in HALVES:
        yield "half of a surrogate pair", name, both
    yield "a salt that is empty is refused", hybrid, offering(outcome, 0.5, salt="")
    for number in range(_N_DRAWN):
        yield "both models are rolled out", f"drawn-{number + 1}", both
        yield "a first tenth", f"drawn-{number + 1}", offering(neural, 0.1)


def _numbered() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"agent-{number}"


def _version(name: str, weight: float, *, filter_on: bool = True) -> dict[str, Any]:
    return {"version": name, "weight": weight, "filter_on": filter_on}


def _offer(
    kinds: list[str],
    model_type: str,
    traffic: float,
    *,
    version: str = "v1.1-real",
    weight: float = 0.2,
    salt: str | None = None,
    stage: int = 1,
    filter_on: bool = True,
) -> dict[str, Any]:
    number = kinds.index(model_type)
    return {
        **_version(version, weight, filter_on=filter_on),
        "experiment": f"rollout-{10 - number}",
        "stage": stage,
        "salt": SALTS[number] if salt is None else salt,
        "traffic": traffic,
    }


def _line(situation: str, agent_id: str | None, models: dict[str, Any]) -> AssignmentLine:
    line: AssignmentLine = {"situation": situation, "agent_id": agent_id, "models": models}
    try:
        assignment = FactorialAssignment(Arm(FORMULA_ARM, _asked(models), 0.0), *_hybrid_group(models))
    except ConfigError:
        return {**line, "refused": True}
    arm = assignment.formula if agent_id is None else assignment.arm_of(agent_id, _ANY_MOMENT)
    salts = {one.model_type: one.salt for one in assignment.challengers}
    by_name = {one.experiment: one.model_type for one in assignment.challengers}
    treated = {by_name[name] for name in treating(arm.id, arm.experiment)}
    outcome = models[model_in(Role.OUTCOME_FILTER).name]
    filtering = outcome["rolling_out" if model_in(Role.OUTCOME_FILTER).name in treated else "active"]
    return {
        **line,
        "group": FORMULA_BASED if agent_id is None else group_of(agent_id),
        "places": {
            kind: place_of(agent_id, salts[kind]) if agent_id is not None and kind in salts else None for kind in models
        },
        "treated": {kind: kind in treated for kind in models},
        "versions": dict(arm.versions),
        "weight": arm.weight,
        "filter_on": filtering is not None and filtering["filter_on"],
        "experiment": arm.experiment,
        "stage": arm.stage,
    }


def _asked(models: dict[str, Any]) -> dict[str, str | None]:
    return {kind: model["active"] and model["active"]["version"] for kind, model in models.items()}


def _hybrid_group(models: dict[str, Any]) -> tuple[Arm, tuple[Challenger, ...]]:
    neural = model_in(Role.NEURAL_SCORE).name
    active = models[neural]["active"]
    champion = Arm(arm_id(active and active["version"]), _asked(models), active["weight"] if active else 0.0)
    return champion, tuple(
        Challenger(
            experiment=offer["experiment"],
            stage=offer["stage"],
            share=offer["traffic"],
            salt=offer["salt"],
            model_type=kind,
            version=offer["version"],
            weight=offer["weight"],
        )
        for kind, model in models.items()
        if (offer := model["rolling_out"]) and "salt" in offer
    )
