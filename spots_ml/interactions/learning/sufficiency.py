"""Whether a dataset is enough to train on. Whether its rows are right is the business of `validation`."""

from spots_ml.errors import InsufficientDataError
from spots_ml.interactions.judging.validation_config import SufficiencyConfig
from spots_ml.interactions.learning.report import DatasetReport


def check_sufficiency(report: DatasetReport, config: SufficiencyConfig | None = None) -> list[str]:
    """Refuse a dataset that is too small, too sparsely labelled, or whose label says nothing.

    Args:
        report: The dataset's counts.
        config: How much is enough; the defaults when absent.

    Returns:
        Warnings, one sentence each; empty when the recommended amount is reached.

    Raises:
        InsufficientDataError: When anything is missing; everything that is missing is listed.
    """
    config = config or SufficiencyConfig()
    missing = []
    if report.n_labelled < config.min_labelled:
        missing.append(
            f"{report.n_labelled:,} labelled interactions, at least {config.min_labelled:,} are needed "
            f"({config.min_labelled - report.n_labelled:,} missing)"
        )
    coverage = report.n_labelled / report.n_accepted if report.n_accepted else 0.0
    if coverage < config.min_label_coverage:
        missing.append(
            f"{coverage:.1%} of {report.n_accepted:,} accepted interactions have an outcome, "
            f"at least {config.min_label_coverage:.1%} must"
        )
    missing += _without_variation(report)
    if missing:
        raise InsufficientDataError(
            f"not enough data to train: {'; '.join(missing)}. Wait for more outcomes, or choose another source"
        )
    if report.n_labelled < config.recommended_labelled:
        return [
            f"{report.n_labelled:,} labelled interactions are enough to train, "
            f"{config.recommended_labelled:,} are recommended"
        ]
    return []


def _without_variation(report: DatasetReport) -> list[str]:
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
