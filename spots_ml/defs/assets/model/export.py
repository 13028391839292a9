"""`onnx_model`: the one file that may ship, certified by runtimes that have nothing but its bytes."""

from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.defs.assets.keys import OWNERS, gate_check, model_key
from spots_ml.defs.assets.model.verdict_check import verdict_check
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result, upstream_digest
from spots_ml.defs.pages import tables
from spots_ml.defs.refusing import about_model, refusals_of
from spots_ml.defs.resources import Platform
from spots_ml.models.declared import ModelType

if TYPE_CHECKING:
    from spots_ml.release.certification.certificate import Certificate, RuntimeReport

_RUNTIME_ROWS: Final = (
    "onnxruntime",
    "numpy",
    "golden rows",
    "difference to torch",
    "random rows",
    "lowest output",
    "highest output",
)


def onnx_model(model_type: ModelType) -> dg.AssetsDefinition:
    """Build the asset for one model.

    Args:
        model_type: Which model.

    Returns:
        The asset.
    """
    key = model_key(model_type, "onnx_model")
    trained_key = model_key(model_type, "trained_model")

    @dg.asset(
        key=key,
        deps=[trained_key],
        group_name=model_type,
        kinds={"onnx", "pytorch"},
        owners=OWNERS,
        check_specs=[
            gate_check(
                key,
                "certified",
                "One self-contained file within the phone's limits that answers like torch in the phone's runtime line "
                "and in the current one, and stays in [0, 1].",
            )
        ],
        description=(
            "One ONNX file with weights, preprocessing and calibration inside: raw contract values in, [batch, 1] out. "
            "Certified in separate processes by the oldest client runtime and the current one."
        ),
    )
    def build(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
        """Write the graph, certify the bytes, keep both."""
        from spots_ml.pipeline.model_steps import export_model
        from spots_ml.release.certification.certify import default_runtimes

        with refusals_in_words():
            trained_digest = upstream_digest(context, trained_key)
            about = about_model(platform, "onnx_model", trained_digest)
            with refusals_of(context, platform).of("onnx_model", about) as judged:
                exported = export_model(
                    platform.places,
                    platform.store().versions,
                    trained_digest,
                    runtimes=default_runtimes(platform.settings.client_python),
                    anew=platform.anew,
                )
                judged(exported.verdict)
        context.log.info(f"{exported.version}: {exported.verdict.message}")
        return result(
            exported.digest,
            {
                "version": dg.MetadataValue.text(exported.version),
                **_metadata(exported.certificate),
                "trained_digest": dg.MetadataValue.text(exported.trained_digest),
                "path": dg.MetadataValue.path(exported.path),
            },
            checks=[verdict_check(exported.verdict)],
            made_already=exported.made_already,
        )

    return build


def _metadata(certificate: "Certificate") -> dict[str, dg.MetadataValue]:
    return {
        "verdict": tables.sentences([certificate.verdict().message]),
        "findings": tables.sentences(certificate.findings),
        "runtimes": tables.markdown_table(
            ["", *(report.name for report in certificate.runtimes)],
            [list(row) for row in zip(_RUNTIME_ROWS, *map(_runtime_column, certificate.runtimes), strict=True)],
        ),
        "max_abs_difference_to_torch": tables.number(
            float("nan") if certificate.max_abs_difference is None else certificate.max_abs_difference
        ),
        "size_bytes": dg.MetadataValue.int(certificate.size_bytes),
        "ir_version": dg.MetadataValue.int(certificate.static.ir_version or 0),
        "opset": dg.MetadataValue.int(certificate.static.opset or 0),
        "operators": tables.sentences([", ".join(certificate.static.operators)]),
        "digests": tables.digests({"contract": certificate.contract_digest}),
    }


def _runtime_column(report: "RuntimeReport") -> list[str]:
    return [
        report.onnxruntime_version or "no answer",
        report.numpy_version or "?",
        f"{report.n_golden_rows:,}",
        f"{max(report.max_abs_difference.values(), default=float('nan')):.1e}",
        f"{report.n_random_rows:,}",
        _output(report.output_min),
        _output(report.output_max),
    ]


def _output(value: float | None) -> str:
    return "?" if value is None else f"{value:.4f}"
