"""The certificate of an ONNX file: what was checked, in which runtimes, and everything that was found.

How the checks are made is in `static_checks`, `client_check` and `certification`.
"""

from typing import Final

from pydantic import Field

from spots_ml.errors import CertificationError
from spots_ml.models.declared import ModelType
from spots_ml.release.documents import Digest, ReleaseDocument
from spots_ml.verdicts import Verdict

GATE: Final = "certified"

CLIENT_RUNTIME: Final = "client"
"""The ONNX Runtime line of the phone plugin."""

CURRENT_RUNTIME: Final = "current"
"""The newest ONNX Runtime the project knows: the one it is installed with."""

ROUNDINGS: Final = 4.0
"""As many times the rounding of the model itself a runtime may be away from its exact answers.

On one processor both runtimes round nearly as torch does; another sums in another order, and errs as much otherwise.
"""

MOST_ROUNDING: Final = 1e-4
"""Rounding beyond which a model is not certified: answers would change in the digits that people are shown."""

RUNTIMES: Final = (CLIENT_RUNTIME, CURRENT_RUNTIME)


class CertificationLimits(ReleaseDocument):
    """What a file is held against; it travels inside the certificate."""

    tolerance: float = Field(
        default=1e-6,
        gt=0,
        le=1e-3,
        description="Largest allowed |ONNX - exact answer| on any golden row, where the model itself rounds less.",
    )
    batch_sizes: tuple[int, ...] = Field(
        default=(1, 2, 7, 1024), min_length=1, description="Batch sizes at which the golden rows are run."
    )
    n_random_rows: int = Field(default=1_000_000, ge=1, description="Random rows in [0, 1) to run per runtime.")
    n_random_corners: int = Field(
        default=4096,
        ge=0,
        description="Random rows of zeros and ones, beside the fixed corners.",
    )
    seed: int = Field(default=20_240_601, ge=0, description="Seed of the random rows and corners.")
    client_line: str = Field(
        default="1.15.", min_length=2, description="How the version of the client's ONNX Runtime must begin."
    )
    timeout_s: float = Field(default=120.0, gt=0, description="Longest time one runtime may take; seconds.")


def tolerance_of(limits: CertificationLimits, rounding: float | None) -> float:
    """Tell how far a runtime may be from the exact answers of a model.

    32-bit floats round, and the more, the larger a network's weights are: a limit below its own rounding would refuse a
    file for what no file can do better.

    Args:
        limits: What files are held against.
        rounding: Of the model itself, at least 0; None: not measured.

    Returns:
        The largest distance, above 0.

    >>> tolerance_of(CertificationLimits(), 1e-7), tolerance_of(CertificationLimits(), 6e-6)
    (1e-06, 2.4e-05)
    """
    return max(limits.tolerance, ROUNDINGS * min(rounding or 0.0, MOST_ROUNDING))


def _unsaid(value: object) -> bool:
    return value is None


class StaticReport(ReleaseDocument):
    """What can be said about a file without running it."""

    ir_version: int | None = Field(description="IR version; null when the file cannot be parsed.")
    opset: int | None = Field(description="Opset of the default operator domain; null when there is none.")
    operators: tuple[str, ...] = Field(description="Operators used, sorted, each once.")
    findings: tuple[str, ...] = Field(description="Everything wrong with it; empty: nothing.")


class RuntimeReport(ReleaseDocument):
    """What one ONNX Runtime, in a process of its own, answered to one file given as bytes."""

    name: str = Field(description="Which runtime: 'client' or 'current'.")
    onnxruntime_version: str | None = Field(description="Version; null when the process gave no answer.")
    numpy_version: str | None = Field(default=None, description="NumPy beside it.")
    python_version: str | None = Field(default=None, description="Interpreter it ran in.")
    platform: str | None = Field(default=None, description="Operating system and processor architecture.")
    n_golden_rows: int = Field(default=0, ge=0, description="Golden rows compared, per batch size.")
    n_corner_rows: int = Field(default=0, ge=0, description="Corner rows run.")
    n_random_rows: int = Field(default=0, ge=0, description="Random rows run.")
    max_abs_difference: dict[int, float] = Field(
        default_factory=dict, description="Largest |ONNX - exact answer| on golden rows, by batch size."
    )
    output_min: float | None = Field(default=None, description="Smallest output seen; null when undefined.")
    output_max: float | None = Field(default=None, description="Largest output seen; null when undefined.")
    findings: tuple[str, ...] = Field(default=(), description="Everything wrong; empty: nothing.")


class Certificate(ReleaseDocument):
    """The full result of certifying one ONNX file, good or bad."""

    schema_version: int = Field(default=1, ge=1, le=1, description="Layout of this document.")
    model_type: ModelType = Field(description="The model the file claims to be.")
    onnx_digest: Digest = Field(description="SHA-256 of the file.")
    contract_digest: Digest = Field(description="Feature contract the file was held against.")
    size_bytes: int = Field(ge=0, description="Size of the file.")
    limits: CertificationLimits
    rounding: float | None = Field(
        default=None,
        ge=0.0,
        exclude_if=_unsaid,
        description="Largest |network in 32-bit floats - in 64-bit floats| on golden rows. Certificates from before it "
        "was measured compare with the network in 32-bit floats.",
    )
    static: StaticReport
    runtimes: tuple[RuntimeReport, ...] = Field(description="One report per runtime, by name.")

    @property
    def findings(self) -> tuple[str, ...]:
        """Everything found wrong, each with where it was found; empty for a good file."""
        in_runtimes = (f"{report.name} runtime: {text}" for report in self.runtimes for text in report.findings)
        return (*self._in_model, *(f"file: {text}" for text in self.static.findings), *in_runtimes)

    @property
    def _in_model(self) -> tuple[str, ...]:
        if self.rounding is None or self.rounding <= MOST_ROUNDING:
            return ()
        return (
            f"model: rounding alone moves its answers by {self.rounding:.1e}, expected at most {MOST_ROUNDING:g}; its "
            "weights are too large: train it with a higher price on them",
        )

    @property
    def tolerance(self) -> float:
        """Largest distance of a runtime from the exact answers that is allowed of this model."""
        return tolerance_of(self.limits, self.rounding)

    @property
    def max_abs_difference(self) -> float | None:
        """Largest |ONNX - exact answer| over all runtimes and batch sizes; None when nothing could be compared."""
        return max((d for report in self.runtimes for d in report.max_abs_difference.values()), default=None)

    @property
    def client_runtime_floor(self) -> str:
        """Version of the client's runtime that ran the file: an older one was never tried.

        Raises:
            CertificationError: When the client's runtime gave no answer.
        """
        for report in self.runtimes:
            if report.name == CLIENT_RUNTIME and report.onnxruntime_version is not None:
                return report.onnxruntime_version
        raise CertificationError(
            f"the certificate of the {self.model_type} ONNX file {self.onnx_digest[:12]} has no answer of the client's "
            "runtime, so nobody knows which one a phone needs; certify the file again"
        )

    def verdict(self) -> Verdict:
        """Judge: certified only when nothing was found and every runtime did the whole work.

        Returns:
            The verdict of the gate `certified`, with the numbers.
        """
        limits = self.limits
        difference = self.max_abs_difference
        lows = [report.output_min for report in self.runtimes if report.output_min is not None]
        highs = [report.output_max for report in self.runtimes if report.output_max is not None]
        measured = {
            "n_findings": float(len(self.findings)),
            "n_runtimes": float(len(self.runtimes)),
            "n_random_rows": float(min((report.n_random_rows for report in self.runtimes), default=0)),
        }
        if difference is not None:
            measured["max_abs_difference"] = difference
        if self.rounding is not None:
            measured["rounding"] = self.rounding
        if lows and highs:
            measured |= {"output_min": min(lows), "output_max": max(highs)}
        passed = (
            not self.findings
            and sorted(report.name for report in self.runtimes) == sorted(RUNTIMES)
            and all(_did_everything(report, limits) for report in self.runtimes)
            and measured.get("max_abs_difference", float("inf")) <= self.tolerance
            and 0.0 <= measured.get("output_min", -1.0) <= measured.get("output_max", 2.0) <= 1.0
        )
        if passed:
            versions = " and ".join(str(report.onnxruntime_version) for report in self.runtimes)
            message = (
                f"certified in onnxruntime {versions}: within {measured['max_abs_difference']:.1e} of the network "
                f"at batch {', '.join(map(str, limits.batch_sizes))}, in [{measured['output_min']:.3f}, "
                f"{measured['output_max']:.3f}] on {limits.n_random_rows:,} random rows and on the corners"
            )
        else:
            listed = "; ".join(self.findings) or "the work is incomplete"
            message = f"not certified, {len(self.findings)} finding(s): {listed}"
        return Verdict(
            gate=GATE,
            passed=passed,
            measured=measured,
            required={
                "n_findings": 0.0,
                "n_runtimes": float(len(RUNTIMES)),
                "n_random_rows": float(limits.n_random_rows),
                "max_abs_difference": self.tolerance,
                "output_min": 0.0,
                "output_max": 1.0,
            },
            message=message,
        )

    def require(self) -> None:
        """Insist on a good file.

        Raises:
            CertificationError: When it is not certified; every finding is in the message.
        """
        verdict = self.verdict()
        if not verdict.passed:
            raise CertificationError(
                f"the {self.model_type} ONNX file {self.onnx_digest[:12]} is {verdict.message}. "
                "It stays here; make it again with spots_ml.release.onnx.graph and do not ship this one."
            )


def _did_everything(report: RuntimeReport, limits: CertificationLimits) -> bool:
    return (
        report.n_golden_rows > 0
        and report.n_corner_rows > 0
        and report.n_random_rows >= limits.n_random_rows
        and set(report.max_abs_difference) == set(limits.batch_sizes)
        and report.output_min is not None
        and report.output_max is not None
    )
