"""Drills: what must be taken back is, and in time; rehearsed in a place of its own that is thrown away afterwards.

Each drill lets something go wrong, looks as the daily look does, and measures from the begin of that look, which is
when the trouble is detected, until a scorer that is opened anew answers a row by what was there before. Nothing of
production is read or written but the folder of the reports.
"""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from spots_ml.digests import digest_json, seal, unseal
from spots_ml.errors import ArtifactError
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.files import TEMPORARY_PREFIX, write_whole
from spots_ml.pipeline.rollouts.controller import Looked, look
from spots_ml.pipeline.rollouts.next_rollout import challenge
from spots_ml.pipeline.rollouts.rehearsal import Rehearsal, hybrid_agents
from spots_ml.pipeline.rollouts.starting import rollouts_of, start_upcoming
from spots_ml.registry.published_files import ONNX_NAME, version_directory
from spots_ml.registry.records import UtcTime
from spots_ml.release.documents import ReleaseDocument
from spots_ml.scoring.fallback import FallbackReason
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel

DrillName = Literal["corrupt_artifact", "fallback_storm", "harm"]

LIMIT_S: Final = 5.0
"""Seconds from detection until what was there before answers."""
DRILL_ACTOR: Final = "drill"
_GOOD: Final = "v1.0-synthetic"
_BAD: Final = "v1.1-synthetic"
_N_AGENTS: Final = 160
_MOST_DAYS: Final = 21
_ARMS_WITHOUT_ROLLOUT: Final = 2
"""The formula and the champion."""
_POLICY: Final = RolloutPolicy(window_days=1.0, maturity_hours=24.0, auto_start=False)


class DrillResult(ReleaseDocument):
    """What came of one drill."""

    name: DrillName
    passed: bool = Field(description="What was there before answers again, within the limit.")
    took_s: float = Field(ge=0, description="Seconds from detection until then.")
    told: str = Field(min_length=1, description="What the platform said about it.")


class DrillReport(ReleaseDocument):
    """What came of all drills at one time."""

    at: UtcTime
    limit_s: float = Field(gt=0, description="Seconds that each may take.")
    results: tuple[DrillResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every drill did."""
        return all(one.passed for one in self.results)


def rehearse(*, now: datetime, scratch: Path | None = None) -> DrillReport:
    """Rehearse everything.

    Args:
        now: The present (UTC); rehearsals begin then.
        scratch: Where the places of the rehearsals are made; None: where the system keeps what is thrown away.

    Returns:
        What came of it.
    """
    results = []
    for name, drill in _DRILLS.items():
        with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=scratch) as folder:
            results.append(drill(name, Rehearsal(Path(folder), now.astimezone(UTC), hybrid_agents(_N_AGENTS))))
    return DrillReport(at=now.astimezone(UTC), limit_s=LIMIT_S, results=tuple(results))


def save_drill(report: DrillReport, drills_dir: Path) -> Path:
    """Keep a report; of one moment there is one.

    Args:
        report: What came of drills.
        drills_dir: Where reports lie; created.

    Returns:
        Its file.
    """
    document = report.model_dump(mode="json")
    drills_dir.mkdir(parents=True, exist_ok=True)
    path = drills_dir / f"{report.at:%Y%m%dT%H%M%SZ}-{digest_json(document)[:12]}.json"
    write_whole(path, seal(document))
    return path


def past_drills(drills_dir: Path, *, limit: int) -> tuple[DrillReport, ...]:
    """Read the reports of the past.

    Args:
        drills_dir: Where they lie.
        limit: How many, at most.

    Returns:
        The newest first; one that is damaged is left out.
    """
    names = sorted(drills_dir.glob("*.json"), reverse=True) if drills_dir.is_dir() else []
    found = []
    for path in names[:limit]:
        try:
            found.append(DrillReport.model_validate(unseal(path.read_bytes())))
        except (ArtifactError, ValueError):
            continue
    return tuple(found)


def _corrupt_artifact(name: DrillName, place: Rehearsal) -> DrillResult:
    """The file of the active version is damaged."""
    _two_promoted(place)
    directory = version_directory(place.places.models_dir, place.model_type, _BAD)
    (directory / ONNX_NAME).write_bytes(b"no model")
    return _measured(name, place, lambda: _look(place))


def _fallback_storm(name: DrillName, place: Rehearsal) -> DrillResult:
    """The active version does not answer, for reasons that no file shows."""
    _two_promoted(place)
    place.pass_time(timedelta(hours=1))
    place.serve(good=0.5, scorer=_silent(place.scorer(), "failed", _BAD))
    place.pass_time(timedelta(minutes=10))
    return _measured(name, place, lambda: _look(place))


def _harm(name: DrillName, place: Rehearsal) -> DrillResult:
    """A version that is rolled out calls people to what they do not like."""
    place.register(_GOOD, says_yes=False)
    place.promote(_GOOD)
    made = place.register(_BAD)
    upcoming = challenge(rollouts_of(place.store, place.model_type), made, reason="a drill")
    policy = _POLICY.model_copy(update={"shares": (0.5,)})
    start_upcoming(
        place.store,
        place.places.models_dir,
        place.model_type,
        upcoming,
        policy,
        now=place.now,
        actor=DRILL_ACTOR,
    )
    result = DrillResult(name=name, passed=False, took_s=0.0, told="no day passed")
    for _ in range(_MOST_DAYS):
        place.pass_time(timedelta(hours=12))
        place.serve(good=0.05)
        place.pass_time(timedelta(hours=12))
        result = _measured(name, place, lambda: _look(place))
        if result.passed:
            break
    return result


_DRILLS: Final[dict[DrillName, Callable[[DrillName, Rehearsal], DrillResult]]] = {
    "corrupt_artifact": _corrupt_artifact,
    "fallback_storm": _fallback_storm,
    "harm": _harm,
}


def _two_promoted(place: Rehearsal) -> None:
    for version in (_GOOD, _BAD):
        place.register(version, blessed=False)
        place.promote(version)
        place.pass_time(timedelta(hours=1))


def _look(place: Rehearsal) -> Looked:
    return look(place.store, place.places, place.model_type, _POLICY, now=place.now, actor=DRILL_ACTOR)


def _measured(name: DrillName, place: Rehearsal, act: Callable[[], Looked]) -> DrillResult:
    """Act, and time until nobody is answered by the bad version, and the good one answers."""
    began = time.perf_counter()
    looked = act()
    scorer = place.scorer()
    restored = scorer.calling_score.version == _GOOD and not isinstance(scorer.calling_score, MissingModel)
    answers = restored and len(scorer.assignment.arms) == _ARMS_WITHOUT_ROLLOUT
    took_s = time.perf_counter() - began
    return DrillResult(name=name, passed=answers and took_s <= LIMIT_S, took_s=took_s, told="; ".join(looked.sentences))


def _silent(scorer: Scorer, reason: FallbackReason, version: str) -> Scorer:
    """The same scorer with a version that does not answer."""
    return Scorer(MissingModel(reason, "a drill", version), scorer.outcome)
