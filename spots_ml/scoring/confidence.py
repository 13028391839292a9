"""How much a calling-score model may weigh, row by row: less far from what it was trained on, nothing outside.

The profile is a part of the model's documents; how it is fitted is in `training.confidence`, why it is as it is in
`docs/decisions/confidence-weights.md`. numpy is imported inside: manifests are read without it.
"""

import itertools
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spots_ml.errors import ConfigError, ContractError

if TYPE_CHECKING:
    import numpy as np

N_INPUTS_MAX: Final = 64
LARGEST_FACTOR: Final = 2048.0
DECIMALS: Final = 4
"""Decimals of the factors: 17 bits of an input, 25 of a factor and 6 of the sum are exact in the 53 of a float64."""
FARTHEST: Final = 65536.0
"""Squared distances from here on are not told apart; every one of them is outside."""

_INPUT_UNIT: Final = 2.0**-16
_COORDINATE_UNIT: Final = 2.0**-10
_LARGEST_COORDINATE: Final = 2.0**18
"""In units: a coordinate of 256, which is outside on its own. Squares and their sum stay below 2^53."""
_CHUNK_ROWS: Final = 1024
"""Rows at a time: what is computed on the way stays in the processor's cache."""

Factor = Annotated[float, Field(ge=-LARGEST_FACTOR, le=LARGEST_FACTOR)]


class ConfidenceStep(BaseModel):
    """A shell around the middle of the training rows, and what validation rows showed there."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    up_to: float = Field(ge=0.0, lt=FARTHEST, description="Largest squared distance, included.")
    weight: float = Field(ge=0.0, le=1.0, description="Most that the model may weigh here.")
    half_width: float | None = Field(
        ge=0.0, le=1.0, description="90 % of outcomes lie within this of the model's answer; null: too few rows to say."
    )
    n_rows: int = Field(ge=0, description="Validation rows in this shell.")


class ConfidenceProfile(BaseModel):
    """Squared Mahalanobis distance from the training rows, cut into shells by the validation rows.

    Without shells nothing is trusted: the weight is 0 everywhere.
    All sums are of whole numbers below 2^53, so they are exact in whatever order they are taken: a row has the same
    weight alone, in any batch and on any machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    center: tuple[Annotated[float, Field(ge=0.0, le=1.0)], ...] = Field(
        min_length=1, max_length=N_INPUTS_MAX, description="Mean of the training rows, by input."
    )
    whitening: tuple[tuple[Factor, ...], ...] = Field(
        description="Lower triangle L, row by row: distance^2 = |(input - center) L|^2."
    )
    alpha: float = Field(gt=0.0, lt=1.0, description="Wanted share of rows like the training's that is outside.")
    steps: tuple[ConfidenceStep, ...] = Field(
        description="Shells from the middle outwards; beyond them the weight is 0."
    )
    n_training_rows: int = Field(ge=1, description="Rows behind center and whitening.")
    n_validation_rows: int = Field(ge=0, description="Rows behind the shells.")
    n_validation_agents: int = Field(ge=0, description="Agents among them.")

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        found, expected = [len(row) for row in self.whitening], list(range(1, len(self.center) + 1))
        if found != expected:
            raise ValueError(f"whitening has rows of {found}; expected a triangle with rows of 1 to {len(self.center)}")
        for inner, outer in itertools.pairwise(self.steps):
            if inner.up_to >= outer.up_to or inner.weight < outer.weight:
                raise ValueError(
                    f"the step up to {outer.up_to} with the weight {outer.weight} follows the one up to {inner.up_to} "
                    f"with {inner.weight}; expected rising distances and weights that never rise"
                )
        return self

    def distances(self, features: "np.ndarray") -> "np.ndarray":
        """Measure how far rows are from the middle of the training rows.

        Args:
            features: `(n_rows, n_inputs)` floats in [0, 1]; read to 2^-16.

        Returns:
            `(n_rows,)` float64 squared Mahalanobis distances, about `n_inputs` for a row like the training's; NaN for
            a row with a value that is no finite number.

        Raises:
            ContractError: When the features are not such an array.
        """
        import numpy as np

        center, factors = self._geometry
        features = np.asarray(features)
        if features.ndim != 2 or features.shape[1] != len(center):
            raise ContractError(f"features have the shape {features.shape}; expected (n_rows, {len(center)})")
        distances = np.empty(len(features))
        scale = _INPUT_UNIT * 10.0**-DECIMALS / _COORDINATE_UNIT
        size = min(len(features), _CHUNK_ROWS)
        inputs, coordinates = np.empty((size, len(center))), np.empty((size, len(center)))
        with np.errstate(invalid="ignore"):
            for start in range(0, len(features), _CHUNK_ROWS):
                rows = features[start : start + _CHUNK_ROWS]
                x, z = inputs[: len(rows)], coordinates[: len(rows)]
                np.multiply(rows, 1.0 / _INPUT_UNIT, out=x)
                np.rint(x, out=x)
                np.subtract(x, center, out=x)
                np.matmul(x, factors, out=z)
                np.multiply(z, scale, out=z)
                np.rint(z, out=z)
                np.clip(z, -_LARGEST_COORDINATE, _LARGEST_COORDINATE, out=z)
                np.einsum("ij,ij->i", z, z, out=distances[start : start + len(rows)])
        return np.multiply(distances, _COORDINATE_UNIT**2, out=distances)

    def steps_of(self, features: "np.ndarray") -> "np.ndarray":
        """Say in which shell rows are.

        Args:
            features: `(n_rows, n_inputs)` floats in [0, 1].

        Returns:
            `(n_rows,)` int64 positions in `steps`; `len(steps)` for a row outside.

        Raises:
            ContractError: When the features are not such an array.
        """
        import numpy as np

        # NaN sorts behind every number: outside.
        shells: np.ndarray = np.searchsorted(self._shells[0], self.distances(features))
        return shells

    def weights(self, features: "np.ndarray", limit: float) -> "np.ndarray":
        """Weigh the model's answers row by row.

        Args:
            features: `(n_rows, n_inputs)` floats in [0, 1].
            limit: The version's weight, in [0, 1].

        Returns:
            `(n_rows,)` float64 in [0, limit], never rising with the distance; 0 outside the training distribution.

        Raises:
            ConfigError: When the limit is no number in [0, 1].
            ContractError: When the features are not such an array.
        """
        import numpy as np

        if not 0.0 <= limit <= 1.0:
            raise ConfigError(f"the weight of the version is {limit}; expected a share in [0, 1]")
        weights: np.ndarray = np.minimum(self._shells[1], limit)[self.steps_of(features)]
        return weights

    def half_widths(self, features: "np.ndarray") -> "np.ndarray":
        """Say how far the outcome may be from the model's answer.

        Args:
            features: `(n_rows, n_inputs)` floats in [0, 1].

        Returns:
            `(n_rows,)` float64 in [0, 1]: 90 % of the outcomes of such rows lie within this of the answer (split
            conformal by shell). NaN where nothing is known: outside, or in a shell of too few validation rows.

        Raises:
            ContractError: When the features are not such an array.
        """
        widths: np.ndarray = self._shells[2][self.steps_of(features)]
        return widths

    @cached_property
    def _geometry(self) -> tuple[Any, Any]:
        """Center in units of inputs and factors in units of their last decimal: whole numbers."""
        import numpy as np

        factors = np.zeros((len(self.center), len(self.center)))
        for position, row in enumerate(self.whitening):
            factors[position, : len(row)] = row
        return np.rint(np.array(self.center) / _INPUT_UNIT), np.rint(factors * 10.0**DECIMALS)

    @cached_property
    def _shells(self) -> tuple[Any, Any, Any]:
        """Edges, weights and half widths; the last of the weights and of the half widths is for what lies outside."""
        import numpy as np

        widths = [np.nan if step.half_width is None else step.half_width for step in self.steps]
        return (
            np.array([step.up_to for step in self.steps], dtype=np.float64),
            np.array([*(step.weight for step in self.steps), 0.0]),
            np.array([*widths, np.nan]),
        )
