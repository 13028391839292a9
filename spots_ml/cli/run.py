"""`spots-ml run`: the main job in this process, with a short table of what came out."""

import contextlib
import gc
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from spots_ml.cli.invocation import invoked_as
from spots_ml.cli.options import open_versions
from spots_ml.cli.tables import text_table
from spots_ml.models.declared import ModelType, declared_types, model_spec
from spots_ml.models.spec import ModelSpec, Rival, Role
from spots_ml.settings import Settings

if TYPE_CHECKING:
    from spots_ml.defs.main_job import JobResult
    from spots_ml.registry.records import ModelVersion


_COMPARED: Final = ("blend", "trusted", "formula", "network", "recorded", "constant", "linear", "boosting")
"""Columns of test errors: what ships first, at the weight of registration and at that of a trusted version."""
_COLLECT_AFTER: Final = 100_000
"""New objects after which garbage is looked for; Python's own number is 700."""


@click.command("run")
@click.option("--model", "model_type", type=click.Choice(declared_types()), help="Only this model.  [default: all]")
@click.option("--times", is_flag=True, help="Show how long each step took.")
@click.option("--anew", is_flag=True, help="Make everything, also what was made already of the same.")
def run_command(model_type: ModelType | None, times: bool, anew: bool) -> None:
    """Train, prove, certify, benchmark and register; exits with 1 when a model was not registered."""
    settings = Settings.from_env()
    # What is imported stays to the end, a million objects: the collector looks seldom, and at the end not at all.
    gc.set_threshold(_COLLECT_AFTER)
    click.get_current_context().call_on_close(gc.freeze)
    from spots_ml.interactions.learning.expectations_process import ExpectationsProcess

    _look_first(settings)
    started = time.perf_counter()
    with ExpectationsProcess() as expectations:
        expectations.start()  # before Dagster is imported: the two take longest, and so they take it together
        from spots_ml.defs.main_job import run_training

        outcome = run_training(
            settings,
            (model_type,) if model_type else None,
            expectations=expectations,
            anew=anew,
            on_wait=lambda told: click.echo(told, err=True),
        )
    seconds = time.perf_counter() - started
    if times:
        click.echo(text_table(["step", "seconds"], _times(outcome, seconds)), err=True)
    store = open_versions(settings)
    versions = [store.get(model.model_type, model.version) for model in outcome.models if model.version]
    if outcome.made_already:
        click.echo(
            f"Made already of the same, checked and used: {', '.join(outcome.made_already)} (--anew makes it again)"
        )
    if versions:
        click.echo(_table(versions, settings))
    missing = [model.model_type for model in outcome.models if model.version is None]
    if missing:
        history = f"the history of run {outcome.run_id} (make dev)"
        click.echo(f"\nnot registered: {', '.join(missing)}; step by step: {history}", err=True)
        *others, last = outcome.problems or (f"the run was stopped without a word; see {history}",)
        for problem in others:
            click.echo(f"\n{problem}", err=True)
        raise click.ClickException(last)
    for problem in outcome.problems:
        click.echo(f"\n{problem}", err=True)
    click.echo(_next_steps(versions, any(model.created for model in outcome.models)))


def _look_first(settings: Settings) -> None:
    """Open what the run is going to read, so that a wrong name is told at once and not by a step of a run."""
    if settings.source == "export" and settings.export_path is not None:
        from spots_ml.interactions.reading.export import read_chunks

        with contextlib.closing(read_chunks(settings.export_path)) as chunks:  # type: ignore[type-var]  # a generator
            next(chunks)
    elif settings.source == settings.store:
        from spots_ml.opening import open_store

        open_store(settings).interactions.read_interactions()
    if settings.profile is not None:
        from spots_ml.training.config import load_profile

        load_profile(settings.profile)


def _table(versions: list["ModelVersion"], settings: Settings) -> str:
    from spots_ml.registry.published_files import version_directory

    header = ["model", "version", "status", *_COMPARED, "called", "p99", "file"]
    rows = []
    for version in versions:
        metrics = version.metrics
        path = version_directory(settings.places.models_dir, version.model_type, version.version) / "model.onnx"
        rows.append(
            [
                version.model_type,
                version.version,
                version.status,
                *_errors(version),
                _called(version),
                f"{metrics['latency_p99_us']:.0f} us",
                _short(path),
            ]
        )
    return text_table(header, rows)


def _short(path: Path) -> str:
    """Write a path from here when it lies here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _errors(version: "ModelVersion") -> list[str]:
    """The test errors of what ships, of the app's formula, of the network and of its rivals, in the header's order."""
    from spots_ml.training.shipped import ERROR, hybrid_name

    spec = model_spec(version.model_type)
    metric, own = spec.headline.metric, version.metrics
    hybrids = [f"{ERROR}_{hybrid_name(weight)}" for weight in (spec.initial_weight, spec.trusted_weight)]
    rivals = (Rival.FORMULA, None, Rival.RECORDED_SCORE, Rival.CONSTANT, _linear(spec), Rival.GRADIENT_BOOSTING)
    names = [*hybrids, *(metric if rival is None else f"{metric}_{rival}" for rival in rivals)]
    return [f"{own[name]:.4f}" if name in own else "-" for name in names]


def _called(version: "ModelVersion") -> str:
    """What becomes of the calls on the test rows, at the weight of registration."""
    from spots_ml.training.shipped import FORMULA, hybrid_name

    spec = model_spec(version.model_type)
    if spec.role is Role.OUTCOME_FILTER:
        return f"filter {'on' if version.filter_on else 'off'}"
    shares = [version.metrics.get(f"called_share_{name}") for name in (hybrid_name(spec.initial_weight), FORMULA)]
    blend, alone = ("-" if share is None else f"{share:.1%}" for share in shares)
    return f"{blend} ({alone})"


def _linear(spec: ModelSpec) -> Rival:
    """The linear learner that a kind of model is compared with."""
    return Rival.LOGISTIC if Rival.LOGISTIC in spec.rivals else Rival.RIDGE


def _told(model_type: ModelType) -> str:
    return f"{model_spec(model_type).headline.told} ({model_type.replace('_', ' ')})"


def _times(outcome: "JobResult", seconds: float) -> list[list[str]]:
    steps = [[step, f"{duration:.2f}"] for step, duration in outcome.seconds_by_step.items()]
    return [*steps, ["everything", f"{seconds:.2f}"]]


def _next_steps(versions: list["ModelVersion"], created: bool) -> str:
    first = versions[0]
    news = "" if created else "Nothing new: the same data and settings gave the versions that were registered before.\n"
    program = invoked_as()
    steps = [
        (f"{program} verify {first.model_type} {first.version}", "recompute every digest and check parity again"),
        ("make dev", "look at it on http://127.0.0.1:3000"),
    ]
    if waiting := next((version for version in versions if version.status == "staging"), None):
        steps.insert(0, (f"{program} promote {waiting.model_type} {waiting.version}", "make it the active version"))
    width = max(len(command) for command, _ in steps)
    told = "\n       ".join(f"{command:<{width}}   # {purpose}" for command, purpose in steps)
    return (
        f"\n{news}Test error: {' or '.join(map(_told, declared_types()))}, on the same held-out rows. What ships is "
        f"the app's formula\nblended with the network: blend at the weight of registration, trusted at that of a "
        "trusted version.\nCalled: the share that the blend calls (and the formula alone); whether the outcome "
        f"filter may block calls.\nNext:  {told}"
    )
