"""The daily monitoring: on a fresh install, on too little data, on a dataset; and its schedule."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from spots_ml.defs.schedules import DAILY_MONITORING_SCHEDULE
from spots_ml.monitoring.formula_baseline import load_baseline
from spots_ml_tests.defs.chain import Chain
from spots_ml_tests.defs.monitored import run_daily
from spots_ml_tests.pipeline.chosen_data import export, interactions

DATA = ("raw_training_data", "validated_dataset")


def states(outcome):
    return {
        name: values["state"].replace("  \n", " ") for name, values in outcome.metadata.items() if "state" in values
    }


def test_on_a_fresh_install_the_daily_job_is_green_and_says_what_to_do(world):
    outcome = run_daily(world)
    assert outcome.result.success
    told = states(outcome)
    assert "materialise validated_dataset" in told["formula_baseline"]
    assert "materialise validated_dataset" in told["data_sufficiency"]
    check = outcome.checks["sufficient"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)


def test_the_schedule_asks_for_one_run_a_day(world):
    context = dg.build_schedule_context(
        instance=world.instance, scheduled_execution_time=datetime(2026, 11, 21, 5, tzinfo=UTC)
    )
    (request,) = DAILY_MONITORING_SCHEDULE.evaluate_tick(context).run_requests
    assert dg.validate_run_config(world.job("daily_monitoring"), request.run_config)


@pytest.mark.slow
def test_too_little_data_is_measured_although_it_was_never_materialised(tmp_path):
    data = export(interactions(700), tmp_path / "export.json")
    chain = Chain(tmp_path / "chain", {"source": "export", "export_path": data})
    assert "validated_dataset" in chain.run(*DATA).failures
    outcome = chain.run(job="daily_monitoring")
    assert outcome.result.success
    shown = outcome.metadata["data_sufficiency"]
    assert (shown["n_labelled"], shown["n_interactions"], shown["kind"]) == (700, 700, "real")
    assert shown["labels_per_day"] > 0
    sentence = outcome.failed_checks["data_sufficiency: sufficient"]
    assert "700 of 1,000 labelled interactions, to train: 300 more labels; " in sentence
    assert "; before that " in sentence and "per day: no forecast)" in sentence  # the data are of last year
    assert severity(outcome) is dg.AssetCheckSeverity.ERROR
    assert "materialise validated_dataset" in states(outcome)["formula_baseline"]


@pytest.mark.slow
def test_a_dataset_gives_a_baseline_with_targets_and_a_warning_about_its_size(tmp_path):
    chain = Chain(tmp_path / "chain")
    digest = chain.run(*DATA).digests["validated_dataset"]
    outcome = chain.run(job="daily_monitoring")
    assert outcome.result.success

    shown = outcome.metadata["formula_baseline"]
    baseline = load_baseline(chain.settings.places.baselines_dir, shown["digest"])
    assert baseline.dataset_digest == digest
    assert baseline.n_labelled == shown["n_labelled"] == chain.settings.synthetic_rows
    for part in ("recorded", "recomputed", "outcome_rule"):
        assert "a model's target" in shown[part]
        for name, estimate in getattr(baseline, part).metrics.items():
            if estimate.value is not None:
                assert shown[f"{part}/{name}"] == pytest.approx(estimate.value, rel=1e-4)

    found = outcome.failed_checks["data_sufficiency: sufficient"]
    assert "of 10,000 labelled interactions, recommended" in found
    assert severity(outcome) is dg.AssetCheckSeverity.WARN
    assert chain.run(job="daily_monitoring").metadata["formula_baseline"]["digest"] == shown["digest"]


def severity(outcome):
    (check,) = [check for check in outcome.result.get_asset_check_evaluations() if check.check_name == "sufficient"]
    return check.severity
