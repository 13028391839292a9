"""`latency_benchmark`: how fast the certified file answers, with the method, and whether that is fast enough."""

from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.assets.keys import OWNERS, gate_check, model_key
from spots_ml.defs.assets.model.verdict_check import verdict_check
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result, upstream_digest
from spots_ml.defs.pages import plots, tables
from spots_ml.defs.refusing import about_model, refusals_of
from spots_ml.defs.resources import Platform
from spots_ml.models.declared import ModelType

if TYPE_CHECKING:
    from spots_ml.release.latency.report import LatencyReport


def latency_benchmark(model_type: ModelType) -> dg.AssetsDefinition:
    """Build the asset for one model.

    Args:
        model_type: Which model.

    Returns:
        The asset.
    """
    key = model_key(model_type, "latency_benchmark")
    onnx_key = model_key(model_type, "onnx_model")

    @dg.asset(
        key=key,
        deps=[onnx_key],
        group_name=model_type,
        kinds={"python", "onnx"},
        owners=OWNERS,
        check_specs=[gate_check(key, "latency", "p99 of one row within 100 ms; the real figure is beside it.")],
        description=(
            "Latency of one row (p50, p95, p99) against an empty graph in the same process, throughput at larger "
            "batches, cold load; with threads, warm-up, number of calls and machine."
        ),
    )
    def build(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
        """Measure, keep the report, judge."""
        from spots_ml.pipeline.model_steps import benchmark_latency, trained_model_of

        with refusals_in_words():
            onnx_digest = upstream_digest(context, onnx_key)
            about = about_model(platform, "latency_benchmark", trained_model_of(platform.places, onnx_digest))
            with refusals_of(context, platform).of("latency_benchmark", about) as judged:
                measured = benchmark_latency(platform.places, onnx_digest, anew=platform.anew)
                judged(measured.verdict)
        context.log.info(measured.verdict.message)
        return result(
            measured.digest,
            {
                **_metadata(measured.report),
                "path": dg.MetadataValue.path(measured.path),
                "onnx_digest": dg.MetadataValue.text(measured.onnx_digest),
            },
            checks=[verdict_check(measured.verdict)],
            made_already=measured.made_already,
        )

    return build


def _metadata(report: "LatencyReport") -> dict[str, dg.MetadataValue]:
    one_row = report.one_row
    return {
        "p50_us": tables.number(one_row.p50_us),
        "p95_us": tables.number(one_row.p95_us),
        "p99_us": tables.number(one_row.p99_us),
        "limit_p99_us": tables.number(report.config.limit_p99_us),
        "p99_to_empty_graph": tables.number(report.p99_ratio),
        "latency_plot": plots.latency_distribution(one_row, report.empty_graph),
        "cold_load_p50_us": tables.number(report.cold_load_p50_us),
        "throughput": tables.markdown_table(
            ["batch", "rows per second", "calls timed"],
            ([f"{at.batch:,}", f"{at.rows_per_s:,.0f}", f"{at.n_runs:,}"] for at in report.throughput),
        ),
        "method": tables.sentences(
            [
                f"{report.config.n_runs:,} calls of one row in {report.config.n_blocks} blocks taking turns with an "
                f"empty graph, {report.config.n_warm_up} warm-up calls before each, {report.n_threads} thread, "
                f"onnxruntime {report.onnxruntime_version}",
                report.machine,
            ]
        ),
    }
