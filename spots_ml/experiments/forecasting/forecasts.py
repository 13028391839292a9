"""What was predicted of a version before it had traffic, kept with it, and how right that was once a rollout is over.

Forecasts are never changed. Which of them counts for a rollout is said by numbers that the store gives, not by clocks:
the last one that knew of no rollout as late as this one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from spots_ml.experiments.evidence_record import Look
from spots_ml.experiments.forecasting.off_policy import OffPolicyValue
from spots_ml.experiments.forecasting.planner import Plan, PlannedEffect
from spots_ml.experiments.rollout import Rollout, RolloutEvent
from spots_ml.models.declared import ModelType
from spots_ml.registry.records import UtcTime
from spots_ml.release.documents import ReleaseDocument


class NewForecast(ReleaseDocument):
    """What is predicted of a version against what answers now."""

    model_type: ModelType
    version: str = Field(min_length=1)
    weight: float = Field(ge=0.0, le=1.0, description="At which it would answer.")
    champion: str | None = Field(description="The active version; null: the formula, or the outcome rule, answers.")
    value: OffPolicyValue = Field(description="Estimated from the log, or why it cannot be.")
    plan: Plan | None = Field(description="When the estimated effect, and others, would be found; null: see no_plan.")
    no_plan: str | None = Field(description="Why nothing is planned; null: it is.")
    actor: str = Field(min_length=1, description="Who, or what, asked for it.")

    def planned(self) -> PlannedEffect | None:
        """Give what is planned for the estimated effect; None: it is not estimated, or not planned for."""
        effect = self.value.effect
        if self.plan is None or effect is None or effect.value is None:
            return None
        return next((one for one in self.plan.effects if one.effect == effect.value), None)

    def told(self) -> str:
        """Say it in a sentence without its full stop."""
        plan = f"no plan, because {self.no_plan}" if self.plan is None else self.plan.told()
        return f"{self.value.told()}; {plan}"


class Forecast(NewForecast):
    """A forecast as it is kept."""

    number: int = Field(ge=1, description="Order of the forecasts over all models, given by the store.")
    after_rollout: int = Field(
        ge=0, description="Number of the last rollout that there was, of all models, given by the store; 0: none."
    )
    at: UtcTime


class ForecastStore(Protocol):
    """Keeps forecasts; it only grows."""

    def keep_forecast(self, forecast: NewForecast, *, now: datetime) -> None:
        """Keep a forecast under the next number, with the number of the last rollout that there is.

        Raises:
            InputError: When the present has no zone.
        """
        ...

    def list_forecasts(
        self, model_type: ModelType, version: str | None = None, *, limit: int = 100
    ) -> tuple[Forecast, ...]:
        """Give the last forecasts of a model, or of one version, the newest first.

        Raises:
            ArtifactError: When one is not what it was when it was kept.
        """
        ...


class ForecastScore(BaseModel):
    """How right a forecast was."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rollout: int = Field(ge=1)
    forecast: int = Field(ge=1)
    status: Literal["running", "over"]
    predicted: float | None = Field(description="Effect, value per decision; null: it could not be estimated.")
    found: float | None = Field(description="The rollout's estimate; null: no unit yet.")
    error: float | None = Field(description="Predicted minus found.")
    within: bool | None = Field(description="Whether the intervals of both have a number in common.")
    same_sign: bool | None = Field(description="Whether it was better, or worse, as predicted.")
    predicted_day: float | None = Field(description="Day on which the effect was to be found; null: never, or no plan.")
    found_day: float | None = Field(description="Day on which evidence promoted or rolled it back; null: it did not.")
    day_ratio: float | None = Field(description="Found day over predicted day.")

    def told(self) -> str:
        """Say it in a sentence without its full stop."""
        if self.predicted is None:
            effect = "no effect was predicted"
        elif self.found is None or self.error is None:
            effect = f"an effect of {self.predicted:+.3f} was predicted, and no unit is whole yet"
        else:
            agree = (
                "and the intervals of both agree" if self.within else "and the intervals of both have nothing in common"
            )
            effect = f"an effect of {self.predicted:+.3f} was predicted, {self.found:+.3f} was found, {agree}"
        so_far = "" if self.status == "over" else " so far"
        expected = (
            "no day was predicted" if self.predicted_day is None else f"predicted for day {self.predicted_day:.0f}"
        )
        came = (
            f"nothing was found{so_far}" if self.found_day is None else f"evidence decided on day {self.found_day:.0f}"
        )
        return f"rollout-{self.rollout}: {effect}; {came} ({expected})"


def forecast_of(rollout: Rollout, forecasts: Iterable[Forecast]) -> Forecast | None:
    """Find the forecast that counts for a rollout.

    Args:
        rollout: The rollout.
        forecasts: Of its model, in any order.

    Returns:
        The last that was made before it, of the same version against the same champion at the same weight.
    """
    same = [
        one
        for one in forecasts
        if (one.model_type, one.version, one.champion, one.weight)
        == (rollout.model_type, rollout.version, rollout.champion, rollout.weight)
        and one.after_rollout < rollout.number
    ]
    return max(same, key=lambda one: one.number, default=None)


def score_forecast(
    forecast: Forecast, rollout: Rollout, events: Sequence[RolloutEvent], last_look: Look | None
) -> ForecastScore:
    """Hold a forecast against what a rollout found.

    Args:
        forecast: The one that counts for it.
        rollout: As it stands.
        events: What happened to it, by number.
        last_look: The last one; None: nobody has looked.

    Returns:
        The score; what is not known yet is null.
    """
    ours, theirs = forecast.value.effect, None if last_look is None else last_look.evidence.effect
    predicted = None if ours is None else ours.value
    found = None if theirs is None else theirs.value
    within = same_sign = error = None
    if ours is not None and theirs is not None and predicted is not None and found is not None:
        error, same_sign = predicted - found, predicted * found > 0.0
        if ours.low is not None and ours.high is not None and theirs.low is not None and theirs.high is not None:
            within = ours.low <= theirs.high and theirs.low <= ours.high
    planned = forecast.planned()
    predicted_day, found_day = None if planned is None else planned.day, _found_day(events)
    ratio = found_day / predicted_day if found_day is not None and predicted_day else None
    return ForecastScore(
        rollout=rollout.number,
        forecast=forecast.number,
        status="running" if rollout.status in ("running", "paused") else "over",
        predicted=predicted,
        found=found,
        error=error,
        within=within,
        same_sign=same_sign,
        predicted_day=predicted_day,
        found_day=found_day,
        day_ratio=ratio,
    )


def _found_day(events: Sequence[RolloutEvent]) -> float | None:
    """Days from the start to the change by which evidence of the value ended it."""
    for event in events:
        if (event.action, event.cause) in (("promoted", "evidence"), ("rolled_back", "harm")):
            return (event.at - events[0].at).total_seconds() / 86_400.0
    return None
