"""The datasets that have Data Docs, as one page: which source, how many rows, and whether they may be learned from."""

from datetime import UTC, datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

from spots_ml.errors import ArtifactError, GateError
from spots_ml.interactions.learning.data_docs import framed
from spots_ml.interactions.learning.fitness import read_verdict
from spots_ml.interactions.learning.report import DatasetReport
from spots_ml.interactions.learning.validation import read_report


def dataset_index(datasets_dir: Path, docs_dir: Path) -> str:
    """List the datasets that have Data Docs, the newest first.

    Args:
        datasets_dir: The folder of all datasets.
        docs_dir: The folder of all Data Docs, by the dataset's digest.

    Returns:
        An HTML document with a link for each. A dataset whose report cannot be read is listed by its digest.
    """
    folders = sorted(docs_dir.glob("*/index.html"), key=lambda page: page.stat().st_mtime, reverse=True)
    if not folders:
        return framed("Datasets", "<p>None yet: materialise validated_dataset, or say make run.</p>")
    names = ("made (UTC)", "source", "read", "accepted", "quarantined", "labelled", "agents", "fit to learn from", "")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = "".join(_row(datasets_dir, page) for page in folders)
    return framed("Datasets", f'<table class="table table-sm"><tr>{head}</tr>{rows}</table>')


def _row(datasets_dir: Path, page: Path) -> str:
    digest = page.parent.name
    made = datetime.fromtimestamp(page.stat().st_mtime, UTC)
    try:
        told = _told(read_report(datasets_dir, digest), is_fit=_is_fit(datasets_dir, digest))
    except ArtifactError:
        told = '<td colspan="7">its report is missing or damaged: validate the snapshot again</td>'
    return (
        f"<tr><td>{made:%Y-%m-%d %H:%M}</td>{told}"
        f'<td><a href="/{quote(digest)}/index.html">{escape(digest[:12])}</a></td></tr>'
    )


def _told(report: DatasetReport, *, is_fit: bool) -> str:
    counts = (report.n_read, report.n_accepted, report.n_quarantined, report.n_labelled, report.n_agents)
    cells = "".join(f'<td class="number">{count:,}</td>' for count in counts)
    return f"<td>{escape(report.description)}</td>{cells}<td>{'yes' if is_fit else 'no'}</td>"


def _is_fit(datasets_dir: Path, digest: str) -> bool:
    try:
        return read_verdict(datasets_dir, digest).passed
    except GateError:
        return False
