"""Code versions that follow the code: the digest of the source of what makes an asset; the UI marks what is old.

They say when to look, not what to trust: what a version was made of is in its manifest.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import dagster as dg

from spots_ml.settings import PROJECT_ROOT

_PACKAGE: Final = PROJECT_ROOT / "spots_ml"
_HEX_DIGITS: Final = 12

MADE_BY: Final[dict[str, tuple[str, ...]]] = {
    "raw_training_data": (
        "pipeline/data_steps.py",
        "interactions/reading",
        "interactions/generators",
        "interactions/keeping",
        "interactions/judging/set_aside.py",
        "interactions/source.py",
        "interactions/schema.py",
        "interactions/columns.py",
        "interactions/kinds.py",
        "interactions/parquet.py",
    ),
    "validated_dataset": (
        "pipeline/data_steps.py",
        "interactions/judging",
        "interactions/learning",
        "interactions/columns.py",
        "features",
    ),
    "trained_model": (
        "pipeline/model_steps.py",
        "pipeline/learned_rows.py",
        "training",
        "estimates",
        "models",
        "features",
        "scoring/formula.py",
    ),
    "onnx_model": ("pipeline/model_steps.py", "release/onnx", "release/certification", "models", "features"),
    "latency_benchmark": ("pipeline/model_steps.py", "release/latency"),
    "registered_version": ("pipeline/registration_step.py", "registry", "release", "models"),
    "blessing": (
        "pipeline/before_traffic/blessing_step.py",
        "registry/blessings.py",
        "registry/gates",
        "estimates",
        "scoring",
        "features",
        "models",
    ),
    "rollout": (
        "pipeline/rollouts",
        "experiments",
        "monitoring/fallback_budget.py",
        "scoring/decision_log/phone_claims.py",
        "estimates",
    ),
    "rollback_drill": ("pipeline/rollouts", "experiments", "registry"),
    "feature_importance": ("pipeline/importance_step.py", "explaining", "features"),
    "scored_opportunities": ("pipeline/scoring_step.py", "requests", "scoring", "features", "models"),
    "version_performance": (
        "pipeline/monitoring_steps.py",
        "monitoring/performance.py",
        "monitoring/history_check.py",
        "monitoring/outcome_linking.py",
        "monitoring/served_effect.py",
        "monitoring/causes",
        "pipeline/watching",
        "scoring/decision_log/phone_claims.py",
        "estimates",
    ),
    "formula_baseline": (
        "pipeline/monitoring_steps.py",
        "monitoring/formula_baseline.py",
        "scoring/formula.py",
        "estimates",
    ),
    "all_at_a_glance": (
        "pipeline/status_step.py",
        "pipeline/rollouts/rollout_view.py",
        "monitoring/status.py",
        "monitoring/retraining.py",
        "monitoring/causes",
        "registry",
    ),
    "data_sufficiency": (
        "pipeline/monitoring_steps.py",
        "monitoring/data_forecast.py",
        "monitoring/arrival_rate.py",
        "interactions/learning",
    ),
}
"""By the last part of the asset's key: the modules and packages of ours that decide what comes out."""


def code_version(key: dg.AssetKey) -> str:
    """Tell the version of the code that makes an asset.

    Args:
        key: The asset; both models share their code.

    Returns:
        The first digits of a SHA-256 over names and contents of the modules.
    """
    return _digest(MADE_BY[key.path[-1]])


@cache
def _digest(made_by: tuple[str, ...]) -> str:
    found = hashlib.sha256()
    for module in _modules(made_by):
        found.update(f"{module}\0{_digest_of_module(module)}\0".encode())
    return found.hexdigest()[:_HEX_DIGITS]


def _modules(made_by: Iterable[str]) -> list[str]:
    paths = (_PACKAGE / name for name in made_by)
    files = {file for path in paths for file in (path.rglob("*.py") if path.is_dir() else (path,))}
    return sorted(file.relative_to(_PACKAGE).as_posix() for file in files)


@cache
def _digest_of_module(module: str) -> str:
    return hashlib.sha256(Path(_PACKAGE, module).read_bytes()).hexdigest()
