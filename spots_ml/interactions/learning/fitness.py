"""Whether a dataset is fit to learn from: a verdict that is kept beside it and travels in every manifest made from it.

What is counted is in `report` and `sufficiency`, what is expected in `expectations`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from spots_ml.digests import seal, unseal
from spots_ml.errors import ArtifactError, GateError
from spots_ml.files import write_whole
from spots_ml.interactions.judging.validation_config import SufficiencyConfig, ValidationConfig
from spots_ml.interactions.learning.report import DatasetReport
from spots_ml.verdicts import Verdict

if TYPE_CHECKING:
    from spots_ml.interactions.learning.expectations import ExpectationResult

GATE: Final = "valid_dataset"
VERDICT_FILE: Final = "verdict.json"


def judge_dataset(
    report: DatasetReport,
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
        The verdict of the gate `valid_dataset`.
    """
    n_failed = sum(not found.passed and found.severity == "critical" for found in results)
    measured = {
        "n_labelled": float(report.n_labelled),
        "label_coverage": report.n_labelled / report.n_accepted if report.n_accepted else 0.0,
        "broken_share": report.n_broken / report.n_read if report.n_read else 1.0,
        "n_expectations": float(len(results)),
        "n_expectations_failed": float(n_failed),
    }
    required = {
        "n_labelled": float(sufficiency.min_labelled),
        "label_coverage": sufficiency.min_label_coverage,
        "broken_share": validation.max_broken_share,
        "n_expectations": 1.0,
        "n_expectations_failed": 0.0,
    }
    at_least = ("n_labelled", "label_coverage", "n_expectations")
    passed = all(
        measured[name] >= limit if name in at_least else measured[name] <= limit for name, limit in required.items()
    )
    return Verdict(
        gate=GATE,
        passed=passed,
        measured=measured,
        required=required,
        message=(
            f"{report.n_labelled:,} labelled rows ({measured['label_coverage']:.0%} of the accepted), "
            f"{measured['broken_share']:.1%} broken, {len(results) - n_failed} of {len(results)} expectations hold"
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
        raise GateError(
            f"dataset {digest} has no readable verdict in {path} ({error}); materialise validated_dataset again"
        ) from error
