"""`spots-ml due`: what would be trained again now, why, and when next; it starts nothing."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from spots_ml.cli.options import json_option, utc_now
from spots_ml.cli.tables import text_table
from spots_ml.settings import Settings

if TYPE_CHECKING:
    from spots_ml.monitoring.causes.requests import OpenRequest
    from spots_ml.monitoring.refused_before import RefusedBefore
    from spots_ml.monitoring.retraining import Retrain, RetrainState, Wait
    from spots_ml.monitoring.run_history import EndedRun


@click.command("due")
@json_option
def due_command(as_json: bool) -> None:
    """Ask, for each model, what its sensor would answer now: train again, or wait, and why.

    Runs and failures are those of DAGSTER_HOME; without one, none are known.
    """
    from spots_ml.defs.history.home import open_run_history
    from spots_ml.defs.resources import Platform
    from spots_ml.defs.retraining_states import retraining_states
    from spots_ml.monitoring.retraining import decide

    settings = Settings.from_env()
    now = utc_now()
    platform = Platform(settings, now=lambda: now)
    with open_run_history() as runs:
        states = retraining_states(platform, platform.store(), runs)
    answers = {model_type: (state, decide(state, settings.retrain)) for model_type, state in states.items()}
    if as_json:
        told = [{"model_type": model_type} | _document(*answer) for model_type, answer in answers.items()]
        click.echo(json.dumps(told, indent=2))
    else:
        rows = [[model_type, *_cells(decision)] for model_type, (_, decision) in answers.items()]
        click.echo(text_table(["model", "due", "why"], rows))


def _cells(decision: "Retrain | Wait") -> list[str]:
    from spots_ml.monitoring.retraining import Retrain

    if isinstance(decision, Retrain):
        return ["now", f"{decision.message}; learns from: {decision.source}"]
    return [f"{decision.until:%Y-%m-%d %H:%M}" if decision.until else "-", decision.message]


def _document(state: "RetrainState", decision: "Retrain | Wait") -> dict[str, Any]:
    from spots_ml.monitoring.retraining import Retrain

    answer = (
        {"due": True, "reasons": decision.reasons, "source": decision.source, "until": None}
        if isinstance(decision, Retrain)
        else {"due": False, "reasons": (), "source": None, "until": _text(decision.until)}
    )
    return answer | {
        "message": decision.message,
        "new_labels": state.new_labels,
        "registered_at": _text(state.registered_at),
        "in_flight": [run.run_id for run in state.runs.in_flight],
        "failed": [_ended(run) for run in state.runs.failed],
        "corrections": state.corrections,
        "refused": [_refused(source, before) for source, before in state.refused.items()],
        "requests": [_request(one) for one in state.requests],
        "watches": [one.model_dump(mode="json", exclude={"details"}) for one in state.watches],
    }


def _ended(run: "EndedRun") -> dict[str, str]:
    return {"run_id": run.run_id, "ended_at": run.ended_at.isoformat(), "told": run.told}


def _refused(source: str, before: "RefusedBefore") -> dict[str, Any]:
    refusal = before.refusal
    return {
        "source": source,
        "number": refusal.number,
        "gate": refusal.gate,
        "told": refusal.sentence,
        "refused_at": refusal.refused_at.isoformat(),
        "run_id": refusal.run_id,
        "new_labels": before.new_labels,
        "corrections": before.new_corrections,
        "changed": list(before.changed),
    }


def _request(request: "OpenRequest") -> dict[str, Any]:
    taking = request.taking
    return {
        **request.model_dump(mode="json", exclude={"taking", "model_type"}),
        "taken_at": None if taking is None else taking.taken_at.isoformat(),
        "taker": None if taking is None else taking.taker,
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
