"""What was found when a version in service was watched on a day, and when that is a cause to train its model again.

What is looked at is in `promise` and `drift`. A finding stands until a version of the model was registered after the
day that found it first, by the order of the registry: what was learned since has seen it, whether it answers or not.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from spots_ml.models.declared import ModelType

Topic = Literal["performance_fell", "drift"]
"""What is watched."""

CARRIED_FOR: Final = 7
"""Days after which the same finding is a new one."""


class Watch(BaseModel):
    """What watching one version for one thing found on one day."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    day: date = Field(description="The day (UTC) that was looked at.")
    model_type: ModelType
    topic: Topic
    version: str = Field(description="The version that was in service when it was measured.")
    found: bool = Field(description="Whether what is watched for was found.")
    told: str = Field(min_length=1, description="What was found, in one line.")
    numbers: dict[str, float] = Field(default_factory=dict, description="By name, units in the names.")
    details: JsonValue = Field(default=None, description="What a page shows beside them.")
    after_registration: int = Field(
        ge=0, description="Number of the registry's last registration of the model when this was first found."
    )


class WatchLog(Protocol):
    """Keeps what was found, one entry a day, model and topic."""

    def keep_watch(self, watch: Watch) -> None:
        """Keep an entry, in place of that of the same day, model and topic.

        Args:
            watch: What was found.
        """
        ...

    def read_watches(self, model_type: ModelType, since: date, until: date) -> tuple[Watch, ...]:
        """Read the entries of a model.

        Args:
            model_type: Which model.
            since: First day.
            until: The day after the last one.

        Returns:
            By day and topic; possibly none.

        Raises:
            ArtifactError: When one is not what it was when it was kept.
        """
        ...


def first_found(watch: Watch, known: Sequence[Watch]) -> Watch:
    """Say of a finding since which registration it stands, by what was found before.

    Args:
        watch: As it is about to be kept, with the last registration of now.
        known: What is kept of the days before, and of this day when it is measured again.

    Returns:
        The same with the earliest number among those of its own kind that lead up to it, at most `CARRIED_FOR` days
        apart; unchanged where nothing was found.
    """
    if not watch.found:
        return watch
    earlier = sorted(
        (one for one in known if one.found and _same(one, watch) and one.day <= watch.day), key=lambda one: one.day
    )
    if not earlier or watch.day - earlier[-1].day > timedelta(days=CARRIED_FOR):
        return watch
    return watch.model_copy(
        update={"after_registration": min(watch.after_registration, earlier[-1].after_registration)}
    )


def standing(known: Sequence[Watch], *, today: date, last_registration: int, days: int, of_days: int) -> Watch | None:
    """Find what calls for a retraining in what was found of one topic.

    Args:
        known: What is kept of it.
        today: The present day (UTC); what was found longer ago than the days below, or of a day ahead, says nothing.
        last_registration: Number of the registry's last registration of the model; 0 without any.
        days: On how many days it must have been found.
        of_days: Of how many days up to today.

    Returns:
        The newest finding, where there are enough of the version that was watched last, and no version was registered
        since it was first found; else None.
    """
    recent = sorted(
        (one for one in known if timedelta(0) <= today - one.day <= timedelta(days=of_days)), key=lambda one: one.day
    )
    if not recent:
        return None
    found = [one for one in recent if one.found and one.version == recent[-1].version]
    if len(found) < days or last_registration > found[-1].after_registration:
        return None
    return found[-1]


def _same(one: Watch, other: Watch) -> bool:
    return (one.model_type, one.topic, one.version) == (other.model_type, other.topic, other.version)
