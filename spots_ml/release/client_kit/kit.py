"""Writing a client kit: everything is made first, then the folder appears whole or not at all."""

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

from spots_ml.digests import canonical_json
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.models.declared import ModelType, model_in
from spots_ml.models.spec import Role
from spots_ml.release.client_kit.assignment_lines import assignment_lines, assignment_text
from spots_ml.release.client_kit.decision_document import decision_document, parity
from spots_ml.release.client_kit.golden import MARGIN_PARITIES, GoldenLine, golden_lines
from spots_ml.release.client_kit.history_lines import history_lines
from spots_ml.release.client_kit.placing import DECISION_NAME, put_in_place, require_kit_folder
from spots_ml.release.client_kit.published import PublishedModel
from spots_ml.release.onnx.predictor import UNHURRIED_S, OnnxPredictor
from spots_ml.scoring.served import ServedModel

GOLDEN_NAME: Final = "golden.jsonl"
HISTORY_NAME: Final = "history.jsonl"
ASSIGNMENT_NAME: Final = "assignment.jsonl"
FILES_DIR: Final = Path(__file__).with_name("files")
"""What goes into every kit as it is; in `README.md` names and numbers are filled in."""
_COPIED: Final = ("check.py", "rules.py", "check.mjs", "rules.mjs", "package.json")


@dataclass(frozen=True)
class KitReport:
    """What was written.

    Attributes:
        directory: Where the kit is.
        versions: Version by model.
        n_lines: Golden lines.
        n_called: Golden lines that end in a call.
        n_blocked: Golden lines that the outcome filter blocks.
        n_called_in_fallback: Golden lines that end in a call when neither model answers.
    """

    directory: Path
    versions: dict[str, str]
    n_lines: int
    n_called: int
    n_blocked: int
    n_called_in_fallback: int


def write_kit(
    directory: Path, calling_score: PublishedModel, outcome: PublishedModel, *, force: bool = False
) -> KitReport:
    """Write a client kit.

    Args:
        directory: Where to; absent or empty, unless `force`.
        calling_score: The calling-score version.
        outcome: The outcome version.
        force: Whether a kit that is there already is replaced, its own files and no others.

    Returns:
        What was written. Equal versions give equal files on the same machine.

    Raises:
        ConfigError: When the directory is taken.
        MachineError: When it cannot be written.
        ArtifactError: When a model does not answer, or gives no golden lines; nothing is written.
        ModelUnavailableError: When the runtime refuses a model; nothing is written.
    """
    directory = directory.absolute()
    require_kit_folder(directory, force=force)
    models = {model.model_type: model for model in (calling_score, outcome)}
    lines = golden_lines(_served(calling_score), _served(outcome), margin=MARGIN_PARITIES * parity(models.values()))
    n_golden = Counter(line["model_type"] for line in lines)
    histories, assignments = history_lines(), assignment_lines()
    decision = decision_document(
        models,
        {model_type: n_golden[model_type] for model_type in models},
        n_history=len(histories),
        n_assignment=len(assignments),
    )

    def fill(target: Path) -> None:
        for model_type, model in models.items():
            (target / model_type).mkdir()
            (target / model_type / "model.onnx").write_bytes(model.onnx)
            (target / model_type / "manifest.json").write_bytes(model.manifest)
        (target / DECISION_NAME).write_text(json.dumps(decision, indent=2, ensure_ascii=False) + "\n", "utf-8")
        (target / GOLDEN_NAME).write_bytes(b"".join(canonical_json(line) + b"\n" for line in lines))
        (target / HISTORY_NAME).write_bytes(b"".join(canonical_json(line) + b"\n" for line in histories))
        (target / ASSIGNMENT_NAME).write_bytes(assignment_text(assignments))
        for name in _COPIED:
            shutil.copyfile(FILES_DIR / name, target / name)
        (target / "README.md").write_text(_readme(models, lines), "utf-8")

    put_in_place(directory, fill)
    return KitReport(
        directory=directory,
        versions={model_type: model.version for model_type, model in models.items()},
        **_counts(lines),
    )


def _served(model: PublishedModel) -> ServedModel:
    predictor = OnnxPredictor(model.onnx, model.model_type, time_limit_s=UNHURRIED_S)
    return ServedModel(model.version, predictor, model.weight, filter_on=model.filter_on)


def _counts(lines: list[GoldenLine]) -> dict[str, int]:
    return {
        "n_lines": len(lines),
        "n_called": sum(line["called"] for line in lines),
        "n_blocked": sum(line["blocked"] for line in lines),
        "n_called_in_fallback": sum(line["fallbacks"]["both_silent"]["called"] for line in lines),
    }


def _readme(models: dict[ModelType, PublishedModel], lines: list[GoldenLine]) -> str:
    neural, outcome_filter = (models[model_in(role).name] for role in (Role.NEURAL_SCORE, Role.OUTCOME_FILTER))
    values: dict[str, Any] = {
        "calling_score_version": neural.version,
        "outcome_version": outcome_filter.version,
        "weight": f"{neural.weight:g}",
        "filter_state": "on" if outcome_filter.filter_on else "off",
        "contract_digest": CONTRACT_DIGEST[:12],
        "parity": f"{parity(models.values()):g}",
        **_counts(lines),
    }
    return Template((FILES_DIR / "README.md").read_text("utf-8")).substitute(values)
