"""A number and what it is worth: the one value type of everything that is measured on people."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Method = Literal["expanded_percentile", "binomial", "none"]
"""How an interval came about (see `interval`); `none`: there is too little for one."""

_N_DIGITS: Final = 8


def _unsaid(value: object) -> bool:
    return value is None


class Estimate(BaseModel):
    """A number with its 95 % interval over agents; value and interval are null where they have no meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: float | None = Field(description="On the rows as they are; null where undefined.")
    low: float | None = Field(description="Lower end of the interval; null where there is too little for one.")
    high: float | None = Field(description="Upper end.")
    method: Method | None = Field(
        default=None, exclude_if=_unsaid, description="Where the interval comes from; older documents do not say."
    )
    n_rows: int | None = Field(default=None, ge=0, exclude_if=_unsaid, description="Rows that count in it.")
    n_agents: int | None = Field(default=None, ge=0, exclude_if=_unsaid, description="Agents those rows are of.")


def kept(value: float) -> float:
    """Leave out the digits that may differ from one linear-algebra library to the next: estimates are digested.

    Args:
        value: Any finite number.

    Returns:
        The number to eight significant digits.

    >>> kept(1 / 3)
    0.33333333
    """
    return float(f"{value:.{_N_DIGITS}g}")
