"""What was measured about a model's speed, with the method, and where it is kept; it is measured in `latency`."""

from pathlib import Path
from typing import Final

from pydantic import Field

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError
from spots_ml.files import publish_directory
from spots_ml.release.documents import Digest, ReleaseDocument
from spots_ml.verdicts import Verdict

GATE: Final = "latency"
LATENCY_FILE: Final = "latency.json"


class LatencyConfig(ReleaseDocument):
    """How the speed is measured and what is asked of it; it travels inside the report."""

    limit_p99_us: float = Field(
        default=100_000.0,
        gt=0,
        description="Largest allowed p99 of one row; microseconds (100 ms).",
    )
    n_runs: int = Field(default=8_000, ge=100, description="Timed runs of one row, per session.")
    n_blocks: int = Field(
        default=40, ge=1, description="Blocks that the runs are split into; model and empty graph take turns."
    )
    n_warm_up: int = Field(default=20, ge=0, description="Untimed runs before each block.")
    batch_sizes: tuple[int, ...] = Field(default=(32, 256, 1024, 8192), description="Batches for the throughput.")
    throughput_s: float = Field(default=0.05, gt=0, description="Time to spend per batch size; seconds.")
    n_cold_loads: int = Field(default=5, ge=1, description="Sessions made from bytes, each with its first run.")
    seed: int = Field(default=7, ge=0, description="Seed of the rows that are run.")


class LatencySummary(ReleaseDocument):
    """Distribution of the time of one call, microseconds."""

    p50_us: float = Field(ge=0)
    p95_us: float = Field(ge=0)
    p99_us: float = Field(ge=0)
    max_us: float = Field(ge=0)
    quantiles_us: tuple[float, ...] = Field(
        min_length=101,
        max_length=101,
        description="Quantiles 0, 0.01, ... 1: the distribution, for a plot.",
    )


class Throughput(ReleaseDocument):
    """Speed at one batch size."""

    batch: int = Field(ge=1, description="Rows per call.")
    n_runs: int = Field(ge=1, description="Timed calls.")
    p50_us: float = Field(ge=0, description="Median time of a call; microseconds.")
    rows_per_s: float = Field(ge=0, description="Rows per second at the median.")


class LatencyReport(ReleaseDocument):
    """Speed of one ONNX file in one process on one machine."""

    schema_version: int = Field(default=1, ge=1, le=1, description="Layout of this document.")
    onnx_digest: Digest = Field(description="SHA-256 of the file.")
    config: LatencyConfig
    one_row: LatencySummary = Field(description="One row per call, through Python.")
    empty_graph: LatencySummary = Field(description="The same call of a graph that only passes its input on.")
    throughput: tuple[Throughput, ...]
    cold_load_p50_us: float = Field(ge=0, description="Session from bytes plus its first run; median.")
    cold_load_max_us: float = Field(ge=0, description="The slowest of them, usually the first.")
    n_threads: int = Field(ge=1, description="Threads inside one call.")
    onnxruntime_version: str
    machine: str = Field(description="Processor, its logical cores, operating system.")

    @property
    def p99_ratio(self) -> float:
        """p99 of one row over p99 of the empty graph: what the model itself costs, at least 0."""
        return self.one_row.p99_us / self.empty_graph.p99_us

    def verdict(self) -> Verdict:
        """Judge the p99 of one row against the limit.

        Returns:
            The verdict of the gate `latency`, with the numbers.
        """
        limit_us = self.config.limit_p99_us
        p99_us = self.one_row.p99_us
        passed = p99_us <= limit_us
        return Verdict(
            gate=GATE,
            passed=passed,
            measured={
                "p50_us": self.one_row.p50_us,
                "p95_us": self.one_row.p95_us,
                "p99_us": p99_us,
                "empty_graph_p99_us": self.empty_graph.p99_us,
            },
            required={"p99_us": limit_us},
            message=(
                f"one row takes {p99_us:.1f} us at p99 ({self.p99_ratio:.1f} times an empty graph), "
                f"{'within' if passed else 'over'} the limit of {limit_us / 1000:g} ms"
            ),
        )


def save_latency(report: LatencyReport, directory: Path) -> str:
    """Keep a report under its digest.

    Args:
        report: What was measured.
        directory: The folder of all reports.

    Returns:
        SHA-256 of the file, which names its folder.
    """
    content = report.to_bytes()
    digest = digest_bytes(content)
    publish_directory(directory / digest, lambda folder: (folder / LATENCY_FILE).write_bytes(content))
    return digest


def load_latency(directory: Path, digest: str) -> LatencyReport:
    """Read a report after checking it against its digest.

    Args:
        directory: The folder of all reports.
        digest: Which one.

    Returns:
        The report.

    Raises:
        ArtifactError: When it is missing or damaged.
    """
    path = directory / digest / LATENCY_FILE
    report = LatencyReport.from_file(path)
    if (found := digest_bytes(path.read_bytes())) != digest:
        raise ArtifactError(f"{path} has digest {found[:12]}: it is damaged; delete its folder and measure again")
    return report
