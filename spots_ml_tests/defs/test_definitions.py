"""What the code location offers, and what it must not cost."""

import ast
import dataclasses
import json
import subprocess
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import get_args

import dagster as dg
import pytest

import spots_ml.defs
from spots_ml.defs.assets.interactions import SourceName
from spots_ml.defs.assets.model.training import TrainingOptions
from spots_ml.defs.build import build_definitions
from spots_ml.interactions.kinds import Source
from spots_ml.models.declared import declared_types
from spots_ml.monitoring.retraining import RetrainConfig
from spots_ml.settings import Settings
from spots_ml.training.config import TrainingConfig

HEAVY = (
    "great_expectations",
    "matplotlib",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "torch",
)
STEPS = ("trained_model", "onnx_model", "latency_benchmark", "registered_version", "blessing")


@pytest.fixture(scope="module")
def graph(definitions):
    return definitions.resolve_asset_graph()


def test_they_load(definitions):
    dg.Definitions.validate_loadable(definitions)


def test_the_assets_are_these_and_each_builds_on_the_one_before(graph):
    chain = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys} for key in keys(graph)
    }
    expected = {"app/calling_score_training_data": set(), "raw_training_data": {"app/calling_score_training_data"}}
    expected |= {"validated_dataset": {"raw_training_data"}}
    for model in declared_types():
        expected |= {
            f"{model}/trained_model": {"validated_dataset"},
            f"{model}/onnx_model": {f"{model}/trained_model"},
            f"{model}/latency_benchmark": {f"{model}/onnx_model"},
            f"{model}/registered_version": {"validated_dataset", *(f"{model}/{step}" for step in STEPS[:3])},
            f"{model}/blessing": {f"{model}/registered_version"},
            f"{model}/feature_importance": {"validated_dataset", f"{model}/trained_model"},
            f"{model}/rollout": {f"{model}/blessing"},
        }
    expected |= {
        "app/phone": {f"{model}/registered_version" for model in declared_types()},
        "scored_opportunities": {f"{model}/registered_version" for model in declared_types()},
        "version_performance": {"scored_opportunities"},
        "formula_baseline": {"validated_dataset"},
        "data_sufficiency": {"raw_training_data", "validated_dataset"},
        "all_at_a_glance": set(),
        "rollback_drill": set(),
    }
    assert chain == expected


def test_the_checks_are_these(graph):
    assert sorted(f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys) == [
        "all_at_a_glance: nothing_needs_a_person",
        "calling_score/latency_benchmark: latency",
        "calling_score/onnx_model: certified",
        "calling_score/rollout: nothing_was_taken_back",
        "calling_score/trained_model: beats_baselines",
        "data_sufficiency: sufficient",
        "outcome/latency_benchmark: latency",
        "outcome/onnx_model: certified",
        "outcome/rollout: nothing_was_taken_back",
        "outcome/trained_model: beats_baselines",
        "rollback_drill: taken_back_in_time",
        "scored_opportunities: no_fallback",
        "scored_opportunities: nothing_lost",
        "validated_dataset: enough_labels",
        "validated_dataset: expectations",
        "version_performance: fallback_rate",
        "version_performance: input_drift",
        "version_performance: kept_promise",
        "version_performance: served_effect",
        "version_performance: served_history",
    ]


def test_every_check_of_the_chain_blocks_what_follows_and_those_of_the_monitoring_alert(definitions):
    specs = [spec for asset in definitions.assets for spec in getattr(asset, "check_specs", ())]
    assert all(spec.description for spec in specs)
    assert {spec.name for spec in specs if not spec.blocking} == {
        "fallback_rate",
        "input_drift",
        "kept_promise",
        "no_fallback",
        "nothing_was_taken_back",
        "taken_back_in_time",
        "served_effect",
        "served_history",
        "sufficient",
        "nothing_needs_a_person",
    }


@pytest.mark.parametrize("detail", ["description", "group_name", "kinds", "owners"])
def test_every_asset_tells_its(graph, detail):
    missing = [key.to_user_string() for key in keys(graph) if not getattr(graph.get(key), detail)]
    assert missing == []


def test_only_what_the_app_writes_and_the_phone_reads_is_made_by_nobody_here(graph):
    external = {key.to_user_string() for key in keys(graph) if not graph.get(key).is_materializable}
    assert external == {"app/calling_score_training_data", "app/phone"}
    assert all(graph.get(key).code_version for key in keys(graph) if graph.get(key).is_materializable)


def test_versions_and_the_daily_monitoring_promise_an_age(graph):
    promised = {
        key.to_user_string(): (policy.warn_window.to_timedelta(), policy.fail_window.to_timedelta())
        for key in keys(graph)
        if (policy := graph.get(key).freshness_policy) is not None
    }
    a_day, a_week = (timedelta(hours=26), timedelta(hours=48)), (timedelta(days=7, hours=6), timedelta(days=8, hours=6))
    assert promised == {
        "formula_baseline": a_day,
        "data_sufficiency": a_day,
        **{f"{model}/registered_version": a_week for model in declared_types()},
    }


def test_the_promised_age_of_versions_follows_the_settings():
    settings = dataclasses.replace(Settings(), retrain=RetrainConfig(max_age_days=1.0))
    graph = build_definitions(settings).resolve_asset_graph()
    policy = graph.get(dg.AssetKey(["outcome", "registered_version"])).freshness_policy
    assert policy.warn_window.to_timedelta() == timedelta(days=1, hours=6)


def test_the_days_of_scoring_and_measuring_are_the_only_partitions(graph):
    partitioned = {key.to_user_string() for key in keys(graph) if graph.get(key).partitions_def}
    assert partitioned == {"scored_opportunities", "version_performance"}


def test_schedules_and_sensors_have_these_names_and_are_on(definitions):
    assert {(one.name, one.job_name, one.cron_schedule, one.default_status.value) for one in definitions.schedules} == {
        ("scoring", "scoring", "0 4 * * *", "RUNNING"),
        ("daily_monitoring", "daily_monitoring", "0 5 * * *", "RUNNING"),
        ("drills", "drills", "0 6 * * 1", "RUNNING"),
    }
    assert {(one.name, one.default_status.value) for one in definitions.sensors} == {
        ("run_failed", "RUNNING"),
        ("all_at_a_glance", "RUNNING"),
        ("rollouts", "RUNNING"),
        *((f"retrain_{model}", "RUNNING") for model in declared_types()),
    }


def test_the_launchpad_lists_every_source():
    assert [name.value for name in SourceName] == list(get_args(Source))


def test_the_launchpad_offers_every_training_setting_with_its_range_and_a_seed():
    offered = TrainingOptions.model_fields
    assert set(offered) == {"seed", "anew", *TrainingConfig.model_fields}
    assert offered["batch_size"].description == "Rows per step, at most. At least 1, at most 65,536."
    assert TrainingOptions(batch_size=64, seed=3).changes() == {"batch_size": 64}
    assert TrainingOptions().changes() == {}


def test_the_groups_are_the_overview_the_app_the_interactions_the_models_the_scoring_and_the_monitoring(graph):
    groups = {graph.get(key).group_name for key in keys(graph)}
    assert groups == {"all_at_a_glance", "app", "interactions", *declared_types(), "scoring", "monitoring", "phone"}


def test_there_is_a_job_for_each_model_one_for_both_and_the_daily_ones(definitions):
    jobs = {job.name: job for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")}
    both = {
        "raw_training_data",
        "validated_dataset",
        *(f"{model}__{step}" for model in declared_types() for step in STEPS),
    }
    assert {name: {node.name for node in job.nodes} for name, job in jobs.items()} == {
        "training": both,
        "scoring": {"scored_opportunities", "version_performance"},
        "daily_monitoring": {"formula_baseline", "data_sufficiency"},
        "feature_importance": {f"{model}__feature_importance" for model in declared_types()},
        "rollouts": {f"{model}__rollout" for model in declared_types()},
        "drills": {"rollback_drill"},
        **{
            f"{model}_training": {name for name in both if not name.startswith(other)}
            for model, other in (("calling_score", "outcome"), ("outcome", "calling_score"))
        },
    }
    assert all(job.description for job in jobs.values())


def test_every_sensor_starts_the_job_of_its_model_and_is_on(definitions):
    assert {
        sensor.name: (sensor.job_name, sensor.default_status, sensor.minimum_interval_seconds)
        for sensor in definitions.sensors
        if sensor.name not in ("run_failed", "all_at_a_glance", "rollouts")
    } == {f"retrain_{model}": (f"{model}_training", dg.DefaultSensorStatus.RUNNING, 60) for model in declared_types()}


def test_the_monitoring_runs_every_day_at_five_and_is_on(definitions):
    (schedule,) = [schedule for schedule in definitions.schedules if schedule.job_name == "daily_monitoring"]
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 5 * * *", "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def test_runs_stay_in_one_process(definitions):
    assert definitions.executor is dg.in_process_executor


def test_one_run_at_a_time_trains_a_model(graph):
    pools = {key.to_user_string(): graph.get(key).pools for key in keys(graph) if graph.get(key).pools}
    assert pools == {f"{model}/trained_model": {f"training_{model}"} for model in declared_types()}


def test_loading_uses_nothing_that_is_beta_or_going_away():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dg.Definitions.validate_loadable(build_definitions(Settings()))


def test_loading_in_a_fresh_process_warns_of_nothing_and_imports_nothing_heavy():
    code = (
        f"import json, sys, spots_ml.definitions; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
    assert done.stderr == ""


@pytest.mark.parametrize(
    "path", sorted(Path(spots_ml.defs.__file__).parent.rglob("*.py")), ids=lambda path: str(path.name)
)
def test_annotations_are_objects_because_dagster_reads_them(path):
    imported = [node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    assert "__future__" not in imported


def keys(graph):
    return sorted(graph.get_all_asset_keys())
