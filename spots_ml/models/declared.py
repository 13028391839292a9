"""Which kinds of models there are, and asking for one of them: by name, or by its role in a decision.

A further kind is one more declaration in `DECLARED`. It is looked up at every call, so that nobody keeps a copy.
"""

from typing import Annotated, Final

from pydantic import AfterValidator

from spots_ml.errors import ContractError
from spots_ml.models.calling_score import CALLING_SCORE
from spots_ml.models.outcome import OUTCOME
from spots_ml.models.spec import Audience, ModelSpec, Role

DECLARED: Final[tuple[ModelSpec, ...]] = (CALLING_SCORE, OUTCOME)
"""Every kind, in the order in which they are told and done."""


def declared_types(audience: Audience | None = None) -> tuple[str, ...]:
    """Name the kinds of models.

    Args:
        audience: Only those whose file it is given; None: all.

    Returns:
        Their names in the order of their declaration.

    >>> declared_types()
    ('calling_score', 'outcome')
    """
    return tuple(spec.name for spec in DECLARED if audience in (None, spec.audience))


def model_spec(model_type: str) -> ModelSpec:
    """Look a declaration up.

    Args:
        model_type: Name of the kind.

    Returns:
        Its declaration.

    Raises:
        ContractError: When no such kind is declared.

    >>> model_spec("outcome").inputs[38:40]
    ('timing_alignment', 'past_positive_rate')
    """
    for spec in DECLARED:
        if spec.name == model_type:
            return spec
    raise ContractError(f"model type {model_type!r} is unknown; expected one of {', '.join(declared_types())}")


def model_in(role: Role) -> ModelSpec:
    """Find the kind that plays a role in the decision.

    Args:
        role: Any but `NONE`.

    Returns:
        Its declaration.

    Raises:
        ContractError: When not exactly one kind has the role.

    >>> model_in(Role.OUTCOME_FILTER).name
    'outcome'
    """
    found = [spec for spec in DECLARED if spec.role is role]
    if len(found) != 1:
        told = ", ".join(spec.name for spec in found) or "no model"
        raise ContractError(f"{told} has the role {role}; expected exactly one of {', '.join(declared_types())}")
    return found[0]


def deciding_models() -> tuple[ModelSpec, ...]:
    """List the kinds that a decision asks.

    Returns:
        The declarations with a role, in the order of their declaration.
    """
    return tuple(spec for spec in DECLARED if spec.role is not Role.NONE)


def _declared(model_type: str) -> str:
    try:
        return model_spec(model_type).name
    except ContractError as error:
        raise ValueError(str(error)) from error


ModelType = Annotated[str, AfterValidator(_declared)]
"""Name of a kind of model; a document that names another one is refused."""
