"""Whether a dataset is fit to learn from: the one place that decides it, as verdicts.

Two gates ask for labels and for expectations; the verdict over both is kept beside the dataset and travels in every
manifest made from it. What is counted is in `report`, what is expected in `expectations`; too many broken rows make no
dataset at all (`validation`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spots_ml.digests import seal, unseal
from spots_ml.errors import ArtifactError, GateError
from spots_ml.files import write_whole
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.troubles import raise_unless_missing
from spots_ml.verdicts import Verdict

if TYPE_CHECKING:
    from spots_ml.interactions.learning.expectations import ExpectationResult
    from spots_ml.interactions.learning.report import DatasetReport

GATE: Final = "valid_dataset"
LABELS_GATE: Final = "enough_labels"
EXPECTATIONS_GATE: Final = "expectations"
VERDICT_FILE: Final = "verdict.json"


class SufficiencyConfig(BaseModel):
    """How many labels are enough to train; unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    min_labelled: int = Field(default=1_000, ge=1, description="Fewest labelled interactions to train on, in rows.")
    recommended_labelled: int = Field(
        default=10_000, ge=1, description="Labelled interactions below which a warning is given, in rows."
    )
    min_label_coverage: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Smallest share of accepted rows with an outcome, in [0, 1]."
    )


def judge_labels(report: "DatasetReport", config: SufficiencyConfig | None = None) -> Verdict:
    """Judge whether there are enough labels, on enough of the rows, and whether they say anything.

    Args:
        report: The dataset's counts.
        config: How much is enough; the defaults when absent.

    Returns:
        The verdict of the gate `enough_labels`. Its message lists everything that is missing; where nothing is, it says
        whether more is recommended.
    """
    config = config or SufficiencyConfig()
    coverage, n_labels = report.label_coverage, report.n_counted_labels
    missing = []
    if n_labels < config.min_labelled:
        missing.append(
            f"{n_labels:,} labelled interactions{_beyond_cap(report)}, at least {config.min_labelled:,} are needed "
            f"({config.min_labelled - n_labels:,} missing)"
        )
    if coverage < config.min_label_coverage:
        missing.append(
            f"{coverage:.1%} of {report.n_accepted:,} accepted interactions have an outcome{_with_cap(report)}, "
            f"at least {config.min_label_coverage:.1%} must"
        )
    missing += _without_variation(report)
    if missing:
        message = f"not enough data to train: {'; '.join(missing)}. Wait for more outcomes, or choose another source"
    elif n_labels < config.recommended_labelled:
        message = (
            f"{n_labels:,} labelled interactions{_beyond_cap(report)} are enough to train, "
            f"{config.recommended_labelled:,} are recommended"
        )
    else:
        message = f"{report.n_labelled:,} labelled of {report.n_accepted:,} accepted: as much as recommended"
    return Verdict(
        gate=LABELS_GATE,
        passed=not missing,
        measured={"n_labelled": float(n_labels), "label_coverage": coverage},
        required={"n_labelled": float(config.min_labelled), "label_coverage": config.min_label_coverage},
        message=message,
    )


def judge_expectations(results: Sequence["ExpectationResult"]) -> Verdict:
    """Judge what the expectations found.

    Args:
        results: What `check_expectations` found; none at all is a no.

    Returns:
        The verdict of the gate `expectations`: no when a critical one does not hold or could not be evaluated.
    """
    failed = [
        f"{result.expectation}({result.column or 'table'}): "
        f"{result.error or result.observed or f'{result.unexpected_count:,} values: {list(result.sample)}'}"
        for result in results
        if not result.passed and result.severity == "critical"
    ]
    passed = bool(results) and not failed
    return Verdict(
        gate=EXPECTATIONS_GATE,
        passed=passed,
        measured={"n_expectations": float(len(results)), "n_expectations_failed": float(len(failed))},
        required={"n_expectations": 1.0, "n_expectations_failed": 0.0},
        message=f"{len(results)} expectations evaluated"
        if passed
        else (
            f"{len(failed)} of {len(results)} expectations on the accepted rows do not hold: "
            f"{'; '.join(failed) or 'no expectation was evaluated'}. The dataset is not used: look at its "
            "Data Docs, then repair the source or the rule that let these rows pass"
        ),
    )


def judge_dataset(
    report: "DatasetReport",
    results: Sequence["ExpectationResult"],
    *,
    validation: ValidationConfig,
    sufficiency: SufficiencyConfig,
) -> Verdict:
    """Judge a dataset by its numbers.

    Args:
        report: Its counts.
        results: What its expectations found; none at all is a no.
        validation: The largest share of broken rows.
        sufficiency: The fewest labels, and the smallest share of rows that must have one.

    Returns:
        The verdict of the gate `valid_dataset`: yes only when labels and expectations pass and few rows are broken.
    """
    labels, expectations = judge_labels(report, sufficiency), judge_expectations(results)
    broken_share = report.broken_share
    n_failed = int(expectations.measured["n_expectations_failed"])
    return Verdict(
        gate=GATE,
        passed=labels.passed and expectations.passed and broken_share <= validation.max_broken_share,
        measured={**labels.measured, "broken_share": broken_share, **expectations.measured},
        required={**labels.required, "broken_share": validation.max_broken_share, **expectations.required},
        message=(
            f"{report.n_labelled:,} labelled rows ({report.label_coverage:.0%} of the accepted), "
            f"{broken_share:.1%} broken, {len(results) - n_failed} of {len(results)} expectations hold"
        ),
    )


def keep_verdict(datasets_dir: Path, digest: str, verdict: Verdict) -> None:
    """Write a dataset's verdict beside it; the latest one counts.

    Args:
        datasets_dir: The folder of all datasets.
        digest: Which one.
        verdict: What was judged.
    """
    write_whole(datasets_dir / digest / VERDICT_FILE, seal(verdict.model_dump(mode="json")))


def read_verdict(datasets_dir: Path, digest: str) -> Verdict:
    """Read what was judged about a dataset.

    Args:
        datasets_dir: The folder of all datasets.
        digest: Which one.

    Returns:
        The verdict, whichever way it went.

    Raises:
        GateError: When the dataset was never judged, or its verdict cannot be read.
    """
    path = datasets_dir / digest / VERDICT_FILE
    try:
        return Verdict.model_validate(unseal(path.read_bytes()))
    except (OSError, ArtifactError, ValidationError) as error:
        raise_unless_missing(error, path)
        raise GateError(
            f"dataset {digest} has no readable verdict in {path} ({error}); materialise validated_dataset again"
        ) from error


def _beyond_cap(report: "DatasetReport") -> str:
    n_beyond = report.n_labelled - report.n_counted_labels
    return f" ({n_beyond:,} more are beyond what one agent may weigh)" if n_beyond else ""


def _with_cap(report: "DatasetReport") -> str:
    if not report.n_accepted or report.weighing is None:
        return ""
    if report.label_coverage == report.n_labelled / report.n_accepted:
        return ""
    return f" where no agent weighs more than {report.weighing.max_agent_share:.0%} ({report.weighing.sentence()})"


def _without_variation(report: "DatasetReport") -> list[str]:
    if report.outcome_score_range is None:
        return []
    found = []
    low, high = report.outcome_score_range
    if low == high:
        found.append(f"every outcome score is {low:g}: a label without variation cannot be learned")
    n_positive = report.outcomes["positive"]
    if n_positive in (0, report.n_labelled):
        found.append(
            f"{'no' if n_positive == 0 else 'every'} labelled outcome is positive: the outcome model needs both kinds"
        )
    return found
