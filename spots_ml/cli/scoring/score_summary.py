"""What `spots-ml score` tells on stderr when it is done; fallbacks first, each on a line that begins with FALLBACK."""

from typing import TYPE_CHECKING

from spots_ml.interactions.judging.rules import REASONS

if TYPE_CHECKING:
    from spots_ml.scoring.answering.score_tally import LogTally, ScoreTally
    from spots_ml.scoring.scorer import Scorer


def summary(tally: "ScoreTally", scorer: "Scorer", log: "LogTally | None") -> list[str]:
    """Tell what came of a run.

    Args:
        tally: Counts over all answers.
        scorer: The scorer that gave them.
        log: What was logged; None: nothing was to be.

    Returns:
        Lines of text.
    """
    from spots_ml.scoring.answering.score_tally import fallbacks_told, models_told
    from spots_ml.scoring.decision import OUTCOME_ABOVE

    lines = [f"FALLBACK {sentence}" for sentence in fallbacks_told(tally, scorer)]
    lines.append(
        f"{tally.n_read:,} requests: {tally.n_scored:,} scored, {tally.n_refused:,} refused; "
        f"{tally.n_called:,} called{_share(tally.n_called, tally.n_scored)}"
    )
    lines += [f"  refused, {code}: {n:,} - {REASONS[code]}" for code, n in sorted(tally.refused.items())]
    lines += [f"    {key}: {n:,}" for key, n in tally.refused_keys.counts().items()]
    lines += [f"  {example}" for example in tally.refused_examples]
    lines += [f"  {model}: {told}" for model, told in models_told(scorer).items() if model not in _never(tally)]
    lines += [
        f"  group {name}: {group.n:,} scored, {group.n_called:,} called{_share(group.n_called, group.n)}"
        for name, group in tally.groups.items()
        if group.n
    ]
    if tally.blocked:
        blocked = f"{tally.blocked:,} blocked{_share(tally.blocked, tally.n_scored)}"
        lines.append(f"  {blocked} by the outcome filter: P(positive) at most {OUTCOME_ABOVE:.2f}")
    if tally.n_unknown_features:
        lines.append(f"  {tally.n_unknown_features:,} unknown features were fed as 0.5")
    if tally.explored:
        lines.append(f"  {tally.explored:,} decisions were left to a coin")
    if log is not None:
        lines += [f"  decision log: {sentence}" for sentence in log.told()]
    return lines


def _never(tally: "ScoreTally") -> set[str]:
    """The models that answered no row at all, which the lines of the fallbacks say already."""
    models = {cause.partition(": ")[0] for cause in tally.fallbacks}
    return {
        model
        for model in models
        if sum(n for cause, n in tally.fallbacks.items() if cause.startswith(model)) == tally.n_scored
    }


def _share(part: int, whole: int) -> str:
    return f" ({part / whole:.1%})" if whole else ""
