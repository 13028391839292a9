"""`spots-ml score`: requests in, one answer per request out, in their order; what came of them is told on stderr."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

import click

from spots_ml.cli.options import utc_now
from spots_ml.cli.scoring.request_source import STANDARD, RequestFormat, request_options, requests_from
from spots_ml.errors import ConfigError
from spots_ml.files import is_same_file, output_file
from spots_ml.settings import Settings

if TYPE_CHECKING:
    from datetime import datetime

    from spots_ml.scoring.answering.answers import Answers
    from spots_ml.scoring.answering.score_tally import LogTally
    from spots_ml.scoring.decision_log.log import DecisionWriter


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
    """
    settings = Settings.from_env()
    from spots_ml.cli.scoring.score_summary import summary
    from spots_ml.opening import open_store
    from spots_ml.registry.serving import open_scorer
    from spots_ml.scoring.answering.answers import answer_requests
    from spots_ml.scoring.answering.score_tally import LogTally, ScoreTally
    from spots_ml.scoring.answering.score_writing import open_score_writer

    store = open_store(settings)
    scorer = open_scorer(
        store.versions,
        settings.places.models_dir,
        versions=versions,
        by_confidence=weights == "confidence",
        exploration=settings.exploration if exploration is None else exploration,
    )
    now = utc_now()
    tally, log = ScoreTally(), LogTally() if logs else None
    batches = requests_from(source, read_as)
    sources = [_STDIN if str(source) == STANDARD else source, settings.places.database]
    with (
        _sink(out, sources) as sink,
        open_score_writer(sink, write_as or _format(out), packed=_is_packed(out)) as write,
    ):
        for answers in answer_requests(batches, scorer, now=now, history=None if no_history else store.history):
            write(answers)
            tally.add(answers)
            if log is not None:
                _log(store.decisions, answers, log, now)
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


def _log(decision_log: "DecisionWriter", answers: "Answers", log: "LogTally", now: "datetime") -> None:
    from spots_ml.scoring.answering.answers import decisions_of

    decisions, n_unidentified = decisions_of(answers, origin="served", now=now)
    log.add(decision_log.log_decisions(decisions, now=now), n_unidentified)
