"""What a decision may claim: that it was served, which counts, or that it was replayed, which counts in nothing.

Served is what was decided at its moment, by versions that were in service then. Everything else is a replay: what would
have been decided. A replay takes part in no performance, propensity or linked outcome, so that an outcome counts once,
in the arm that was there. This module is the rule; the store adds what only it can know: that another decision of the
same agent, opportunity and moment was served already, and, where it has a clock of its own, what time it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Claim = Literal["at_its_moment", "scored_again", "another_moment", "not_in_service", "already_served"]
"""Why a decision counts as served (the first) or as replayed (all others)."""
CLAIMS: Final[tuple[Claim, ...]] = get_args(Claim)

SERVED: Final[Claim] = "at_its_moment"
SCORED_AGAIN: Final[Claim] = "scored_again"
ALREADY_SERVED: Final[Claim] = "already_served"

CLAIM_TEXTS: Final[Mapping[str, str]] = {
    "at_its_moment": "decided at their moment, by versions that were in service",
    "scored_again": "scored again on purpose",
    "another_moment": "their moment was not the present when they were scored",
    "not_in_service": "a version that answered was not in service at their moment",
    "already_served": "another decision of their agent, opportunity and moment was served",
}

SERVED_WITHIN: Final = timedelta(minutes=15)
"""How far the moment of a served decision may lie from the present, either way: clocks differ, requests queue."""


class ServiceRecord(Protocol):
    """Knows which versions were in service when; `registry.service.ServicePeriods` is one."""

    def covers(
        self, model_type: str, version: str, moments: np.ndarray, *, behind: timedelta = timedelta(0)
    ) -> np.ndarray:
        """Tell whether a version was in service.

        Args:
            model_type: Which model.
            version: Its name.
            moments: `(n,)` datetime64[us] in UTC.
            behind: How long after it left service it counts as in service still.

        Returns:
            `(n,)` bool; false throughout for a version that was never registered.
        """
        ...


@dataclass(frozen=True)
class ClaimRule:
    """Judges what decisions may claim.

    Attributes:
        service: Which versions were in service when.
        now: The present, with a time zone.
        again: Whether all of it is scored again on purpose.
    """

    service: ServiceRecord
    now: datetime
    again: bool = False

    def judge(self, moments: np.ndarray, versions: Mapping[str, pa.Array]) -> pa.Array:
        """Judge decisions before they are made.

        Args:
            moments: `(n,)` datetime64 in UTC, of the decisions.
            versions: Kind of model -> `(n,)` names of the versions that are to answer; null: there is none.

        Returns:
            `(n,)` strings, each a `Claim`; `already_served` is the store's to say.
        """
        moments = np.asarray(moments, "datetime64[us]")
        if self.again:
            return pa.repeat(pa.scalar(SCORED_AGAIN), len(moments))
        present = np.datetime64(round(self.now.timestamp() * 1e6), "us")
        claims = np.where(np.abs(moments - present) <= np.timedelta64(SERVED_WITHIN), SERVED, "another_moment")
        claims = claims.astype(object)
        for model_type, names in versions.items():
            claims[(claims == SERVED) & ~were_in_service(self.service, model_type, names, moments)] = "not_in_service"
        return pa.array(claims, pa.string())


def were_in_service(
    service: ServiceRecord,
    model_type: str,
    versions: pa.Array,
    moments: np.ndarray,
    *,
    behind: timedelta = timedelta(0),
) -> np.ndarray:
    """Tell of many rows whether the version that is named was in service at their moment.

    Args:
        service: Which versions were in service when.
        model_type: Which model.
        versions: `(n,)` names; null: there is none, which is always in service.
        moments: `(n,)` datetime64[us] in UTC; NaT where unknown, when nothing was in service.
        behind: How long after a version left service it counts as in service still.

    Returns:
        `(n,)` bool.
    """
    covered = np.ones(len(moments), bool)
    for version in pc.unique(versions).drop_null().to_pylist():
        rows = pc.equal(versions, version).fill_null(False).to_numpy(zero_copy_only=False)
        covered[rows] = service.covers(model_type, version, moments[rows], behind=behind)
    return covered
