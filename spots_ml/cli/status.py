"""`spots-ml status`: what is live, how it does, what comes next and what needs a person."""

import json
import textwrap
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from spots_ml.cli.options import json_option, utc_now
from spots_ml.settings import Settings

if TYPE_CHECKING:
    from spots_ml.monitoring.status import ArmComparison, ModelStatus
    from spots_ml.pipeline.status_step import PlatformStatus

_WIDTH: Final = 118


@click.command("status")
@json_option
def status_command(as_json: bool) -> None:
    """Say what answers for each model and since when, how it does, what comes next, and what needs a person.

    Everything is as of now. How it does is the share of positive outcomes over the last seven measured days. Runs and
    failures are those of DAGSTER_HOME; without one, none are known. Exits with 0 also when something needs a person.
    """
    from spots_ml.defs.history.home import open_run_history
    from spots_ml.defs.resources import Platform
    from spots_ml.defs.retraining_states import retraining_states
    from spots_ml.pipeline.status_step import read_status

    settings, now = Settings.from_env(), utc_now()
    platform = Platform(settings, now=lambda: now)
    store = platform.store()
    with open_run_history() as runs:
        states = retraining_states(platform, store, runs)
    found = read_status(
        store,
        settings.places,
        states,
        retraining=settings.retrain,
        rollout=settings.rollout,
        max_fallback_share=settings.max_fallback_share,
        now=now,
    )
    click.echo(json.dumps(_document(found), indent=2) if as_json else _text(found))


def _text(found: "PlatformStatus") -> str:
    lines = [f"As of {found.at:%Y-%m-%d %H:%M} UTC"]
    for model in found.models:
        lines += ["", model.model_type]
        lines += _told("answers", model.answers)
        for comparison in model.comparisons:
            lines += _told("outcomes", comparison.sentence)
        for watched in model.watched:
            lines += _told("watched", watched)
        lines += _told("rollout", model.rollout)
        lines += _told("next", model.next_step)
        for need in model.needs_person:
            lines += _told("PERSON", need)
    if not found.needs_person:
        lines += ["", "Nothing needs a person."]
    return "\n".join(lines)


def _told(what: str, sentence: str) -> list[str]:
    return textwrap.wrap(
        sentence,
        _WIDTH,
        initial_indent=f"  {what:9} ",
        subsequent_indent=" " * 12,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _document(found: "PlatformStatus") -> dict[str, Any]:
    return {"at": found.at.isoformat(), "models": [_model(model) for model in found.models]}


def _model(model: "ModelStatus") -> dict[str, Any]:
    stands = model.standing
    return {
        "model_type": model.model_type,
        "answers": model.answers,
        "live": None if stands.live is None else stands.live.version,
        "since": _moment(stands.since_at),
        "since_sequence": stands.since_sequence,
        "before": stands.before,
        "back_to": list(stands.back_to),
        "rolling_out": None if stands.rolling_out is None else stands.rolling_out.version,
        "candidates": list(stands.candidates),
        "comparisons": [_comparison(one) for one in model.comparisons],
        "watched": list(model.watched),
        "rollout": model.rollout,
        "next": model.next_step,
        "needs_person": list(model.needs_person),
    }


def _comparison(one: "ArmComparison") -> dict[str, Any]:
    return {
        "origin": one.origin,
        "other": one.other,
        "day": one.day.isoformat(),
        **{
            name: None if estimate is None else estimate.model_dump(mode="json")
            for name, estimate in (("ours", one.ours), ("theirs", one.theirs), ("more", one.more))
        },
        "sentence": one.sentence,
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
