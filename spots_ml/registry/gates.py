"""Which verdicts a version needs before it may be registered. Nobody steps around this: every store asks it, too.

How a verdict comes about is in `training` and `release`.
"""

from collections.abc import Iterable
from typing import Final

from spots_ml.errors import GateError
from spots_ml.models.declared import ModelType
from spots_ml.verdicts import Verdict

REQUIRED_GATES: Final = ("valid_dataset", "beats_baselines", "certified", "latency")
"""Gates that must all have spoken in favour. Fail closed: no verdict, no measurement or no threshold is a refusal."""


def require_verdicts(model_type: ModelType, version: str, verdicts: Iterable[Verdict]) -> None:
    """Insist that every required gate passed, on numbers, against thresholds.

    Args:
        model_type: The model, for the message.
        version: Name of the version, for the message.
        verdicts: What the gates said, in any order. Gates that are not required must not have said no either.

    Raises:
        GateError: When anything is missing or failed; every refusal is listed with its numbers.
    """
    spoken: dict[str, list[Verdict]] = {gate: [] for gate in REQUIRED_GATES}
    for verdict in verdicts:
        spoken.setdefault(verdict.gate, []).append(verdict)
    refusals = [text for gate, said in spoken.items() for text in _refusals(gate, said)]
    if refusals:
        raise GateError(f"{model_type} {version} is not registered: " + "; ".join(refusals))


def _refusals(gate: str, said: list[Verdict]) -> list[str]:
    if len(said) != 1:
        found = "no verdict" if not said else f"{len(said)} verdicts"
        return [f"gate {gate!r} has {found}, expected one; run the step that measures it"]
    verdict = said[0]
    refusals = []
    if not verdict.passed:
        refusals.append(f"gate {gate!r} failed: {verdict.message} ({_numbers(verdict)})")
    if not verdict.measured:
        refusals.append(f"gate {gate!r} measured nothing")
    if not verdict.required:
        refusals.append(f"gate {gate!r} has no threshold")
    return refusals


def _numbers(verdict: Verdict) -> str:
    measured = ", ".join(f"{name} {value:g}" for name, value in verdict.measured.items()) or "nothing"
    required = ", ".join(f"{name} {value:g}" for name, value in verdict.required.items()) or "nothing"
    return f"measured: {measured}; required: {required}"
