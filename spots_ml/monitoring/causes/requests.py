"""Requests to train a model again: who asked and why, when a request is taken, and when it is answered.

A request is a hint. It is open until it was taken and then answered: a version of its model was registered, or refused
by a gate, after it was taken, by the order of the store. A run that fails answers nothing. What a request leads to is
decided in `monitoring.retraining`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from spots_ml.models.declared import ModelType
from spots_ml.texts import MAX_LINE

LAUNCHED_WITHIN: Final = timedelta(minutes=5)
"""Who took a request has its run in the history by then, and looks there; before, the run may be about to appear."""

HELD_FOR: Final = timedelta(hours=24)
"""So long nobody else takes a request that was taken: longer than any training and any wait after failures."""

_Line = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LINE, pattern=r"\S")]


class RetrainingRequest(BaseModel):
    """Somebody wants a model to be trained again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_type: ModelType
    reason: _Line = Field(description="Why, in one line.")
    actor: _Line = Field(description="Who asks: a person, a backend, an edge function.")
    anew: bool = Field(
        default=False, description="Also where a gate refused this very data, code and configuration already."
    )


@dataclass(frozen=True)
class Taking:
    """A request was taken.

    Attributes:
        number: Its place in the log, given by the store.
        taker: Which run history took it: two daemons of one history are one taker.
        taken_at: When, by the taker's clock (UTC).
    """

    number: int
    taker: str
    taken_at: datetime


class OpenRequest(RetrainingRequest):
    """A request that nothing has answered yet."""

    number: int = Field(ge=1, description="Its place in the log, given by the store.")
    asked_at: AwareDatetime = Field(description="When, by the asker's clock or the database's (UTC); for people.")
    taking: Taking | None = Field(default=None, description="Who took it last; null: nobody.")

    def is_to_take(self, taker: str, now: datetime) -> bool:
        """Tell whether a run history may take it now.

        Args:
            taker: The history.
            now: The present (UTC), by the taker's clock.

        Returns:
            Whether nobody took it, or this taker did but has had time to launch a run, or another did long ago. A
            taking from further ahead than it would hold was told by a wrong clock, and holds nothing up.
        """
        if self.taking is None:
            return True
        held = LAUNCHED_WITHIN if self.taking.taker == taker else HELD_FOR
        return abs(now - self.taking.taken_at) >= held

    def told(self) -> str:
        """Tell who asked, and why."""
        return f"{self.actor} asked for it (request {self.number}): {self.reason}"


class RetrainingRequestLog(Protocol):
    """Keeps requests and their takings; both only grow."""

    def ask(self, request: RetrainingRequest, *, now: datetime) -> int:
        """Keep a request under the next number.

        Args:
            request: What is asked.
            now: The present, with a time zone.

        Returns:
            The number.

        Raises:
            InputError: When the present has no zone.
            ConfigError: When reason or actor is not one printable line.
        """
        ...

    def open_requests(self, model_type: ModelType) -> tuple[OpenRequest, ...]:
        """Read what nothing has answered yet.

        Args:
            model_type: Of which model.

        Returns:
            By number, at most the first 1,000; possibly none.

        Raises:
            ArtifactError: When one cannot be read.
        """
        ...

    def take(self, requests: Sequence[OpenRequest], *, taker: str, now: datetime) -> tuple[int, ...]:
        """Take requests, each unless somebody took it since it was read: of two who want the same, one gets it.

        Args:
            requests: As `open_requests` gave them.
            taker: Which run history takes them.
            now: The present, with a time zone.

        Returns:
            The numbers of those that were given, possibly none; all of them are noted, or none.

        Raises:
            InputError: When the present has no zone.
        """
        ...


def told_numbers(requests: Sequence[OpenRequest]) -> str:
    """Name requests.

    Args:
        requests: At least one.

    Returns:
        Such as `request 3` or `requests 3, 4`.
    """
    return f"request{'' if len(requests) == 1 else 's'} {', '.join(str(one.number) for one in requests)}"
