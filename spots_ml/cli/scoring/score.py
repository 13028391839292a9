"""`spots-ml score`: requests in, one answer per request out, in their order; what came of them is told on stderr."""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

import click

from spots_ml.cli.options import utc_now
from spots_ml.cli.scoring.request_source import STANDARD, RequestFormat, request_options, requests_from
from spots_ml.errors import ConfigError, InputError, SpotsMLError
from spots_ml.files import is_same_file, output_file
from spots_ml.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from spots_ml.scoring.answering.score_tally import LogTally, ScoreTally
    from spots_ml.scoring.answering.score_writing import Write


_STDIN: Final = 0
_STDOUT: Final = 1


@click.command("score")
@click.argument(
    "source",
    metavar="[INPUT]",
    default=STANDARD,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="A file, written whole.  [default: stdout]"
)
@click.option(
    "--to", "write_as", type=click.Choice(["jsonl", "parquet"]), help="Format of the output.  [default: by its name]"
)
@request_options
@click.option(
    "--exploration",
    metavar="SHARE",
    type=float,
    help="Leave this share of the eligible decisions to a coin, 0 to 0.2.  [default: SPOTS_ML_EXPLORATION]",
)
@click.option("--log", "logs", is_flag=True, help="Add the decisions to the decision log.")
@click.option("--no-history", is_flag=True, help="Serve no history features from the store.")
@click.option("--strict", is_flag=True, help="Exit with 1 also when a model did not answer.")
@click.pass_context
def score_command(
    ctx: click.Context,
    source: Path,
    out: Path | None,
    read_as: RequestFormat | None,
    write_as: Literal["jsonl", "parquet"] | None,
    versions: dict[str, str | None],
    weights: str,
    exploration: float | None,
    logs: bool,
    no_history: bool,
    strict: bool,
) -> None:
    """Score (agent, opportunity) pairs as the app does, and say who is called.

    INPUT holds JSON lines, Parquet or an export of the app; - is stdin. Every request gets one row, in the same order:
    scores, or the reasons why it was refused. Exits with 1 when rows were refused; the output is complete then, too.

    With --log all decisions are logged at once, before the first answer is told. A decision that is logged already
    stays as it was made, and its answer is the one of then: a command that was cut off can simply be repeated.
    """
    settings = Settings.from_env()
    from spots_ml.cli.scoring.score_summary import summary
    from spots_ml.experiments.serving import serving_challengers
    from spots_ml.opening import open_store
    from spots_ml.registry.service import service_periods
    from spots_ml.registry.serving import open_scorer
    from spots_ml.scoring.answering.answers import answer_requests
    from spots_ml.scoring.answering.logged_answers import logged_answers
    from spots_ml.scoring.answering.score_table import score_table
    from spots_ml.scoring.answering.score_tally import ScoreTally
    from spots_ml.scoring.answering.score_writing import open_score_writer
    from spots_ml.scoring.decision_log.claims import ClaimRule

    store = open_store(settings)
    scorer = open_scorer(
        store.versions,
        settings.places.models_dir,
        versions=versions,
        by_confidence=weights == "confidence",
        exploration=settings.exploration if exploration is None else exploration,
        challengers=serving_challengers(store.rollouts.list_rollouts()),
    )
    now = utc_now()
    tally, format = ScoreTally(), write_as or _format(out)
    with_requests = format == "parquet"
    answered = tally.noting_refusals(
        answer_requests(
            requests_from(source, read_as),
            scorer,
            now=now,
            history=None if no_history else store.history,
            rule=ClaimRule(service_periods(store.versions.history()), now) if logs else None,
        )
    )
    sources = [_STDIN if str(source) == STANDARD else source, settings.places.database]
    log: LogTally | None = None
    with (
        _telling_what_is_logged(lambda: log),
        _sink(out, sources) as sink,
        open_score_writer(sink, format, packed=_is_packed(out)) as write,
    ):
        if logs:
            # Beside a file that will be replaced; a device has no such place.
            folder = out.parent if out is not None and (out.is_file() or not out.exists()) else None
            with logged_answers(
                answered, store.decisions, now=now, with_requests=with_requests, folder=folder
            ) as logged:
                log = logged.tally
                _write(logged.batches, write, tally)
        else:
            _write((score_table(one, with_requests=with_requests) for one in answered), write, tally)
    click.echo("\n".join(summary(tally, scorer, log)), err=True)
    if tally.n_refused or (strict and tally.fallen_back):
        ctx.exit(1)


def _format(out: Path | None) -> Literal["jsonl", "parquet"]:
    return "parquet" if out is not None and out.name.lower().endswith(".parquet") else "jsonl"


def _is_packed(out: Path | None) -> bool:
    return out is not None and out.name.lower().endswith(".gz")


@contextlib.contextmanager
def _sink(out: Path | None, sources: Sequence[Path | int]) -> Iterator[Path | BinaryIO]:
    """Open the place for answers; one that closes early, such as `head`, ends the command without a word."""
    if out is not None:
        with output_file(out, sources=sources) as temporary:
            yield temporary
        return
    if any(isinstance(source, Path) and is_same_file(source, _STDOUT) for source in sources):
        raise ConfigError("standard output is the file that is read; send it to another one")
    stdout = sys.stdout.buffer
    # With PYTHONUNBUFFERED this is the bare descriptor, whose writes may stop half-way without an error.
    sink = io.BufferedWriter(stdout) if isinstance(stdout, io.RawIOBase) else stdout
    try:
        yield sink
        sink.flush()
    except BrokenPipeError:
        # What is still buffered would be written once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        raise click.exceptions.Exit(1) from None
    finally:
        if isinstance(sink, io.BufferedWriter) and sink is not stdout:
            sink.detach()


@contextlib.contextmanager
def _telling_what_is_logged(log: "Callable[[], LogTally | None]") -> Iterator[None]:
    """Say what is in the log when the answers did not reach their place."""
    try:
        yield
    except (SpotsMLError, OSError, click.exceptions.Exit) as error:
        tally = log()
        if tally is None:
            raise
        reason = "whoever reads them went away" if isinstance(error, click.exceptions.Exit) else str(error)
        raise InputError(
            f"not all answers were written ({reason}), but their decisions are logged: {tally.told()[0]}. Repeat the "
            "same command: a request that says its moment gets the log's answer"
        ) from error


def _write(batches: "Iterable[pa.RecordBatch]", write: "Write", tally: "ScoreTally") -> None:
    for batch in batches:
        write(batch)
        tally.add(batch)
