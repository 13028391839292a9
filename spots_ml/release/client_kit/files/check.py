"""Proves that rules and models of this client kit give what its golden lines say, in this ONNX Runtime.

    python check.py [DIR] [--json]

It needs NumPy and ONNX Runtime (from 1.26 and 1.15 on) and nothing else; the rules are in `rules.py`. It ends
with status 0 when everything agrees within the parity of decision.json, with 1 when anything differs.
"""

import argparse
import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from rules import (
    Document,
    assign,
    decide,
    either,
    formula,
    group,
    history_features,
    model_inputs,
    outcome_rule,
    place,
)

MODEL_TYPES = ("calling_score", "outcome")
FORMULA_PARTS = (
    "vibe_compatibility",
    "life_betterment",
    "meaningful_connection",
    "fulfilment",
    "context",
    "timing",
)
MAX_TOLD = 20

REFUSALS = (
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
"""What ONNX Runtime raises when it does not like a file or a row. The app's fallback starts here."""


class Comparison:
    """What was compared, the largest differences and everything that is wrong."""

    def __init__(self, parity: float) -> None:
        self.parity = parity
        self.largest: dict[str, float] = {}
        self.findings: list[str] = []

    def number(self, where: str, name: str, found: float, expected: float) -> None:
        """Compare two numbers."""
        difference = abs(found - expected)
        before = self.largest.get(name, 0.0)
        self.largest[name] = difference if math.isnan(difference) else max(before, difference)
        if not difference <= self.parity:
            self.findings.append(f"{where}: {name} is {found!r}, expected {expected!r}, {difference:.3g} apart")

    def same(self, where: str, name: str, found: object, expected: object) -> None:
        """Compare two values that must be equal."""
        if found != expected:
            self.findings.append(f"{where}: {name} is {found!r}, expected {expected!r}")

    def decision(self, where: str, name: str, found: Document, expected: Document) -> None:
        """Compare two decisions."""
        for key in ("weight", "outcome_probability", "hybrid_score", "score"):
            self.number(where, f"{name}{key}", found[key], expected[key])
        for key in ("blocked", "called"):
            self.same(where, f"{name}{key}", found[key], expected[key])


def open_model(kit: Path, model_type: str, rules: Document) -> ort.InferenceSession:
    """Load a model from bytes after checking that it is the right one.

    Raises:
        ValueError: When the files are not those of decision.json.
    """
    folder, expected = kit / model_type, rules["models"][model_type]
    content, manifest = (folder / "model.onnx").read_bytes(), (folder / "manifest.json").read_bytes()
    for name, data, digest in (
        ("model.onnx", content, expected["onnx_sha256"]),
        ("manifest.json", manifest, expected["manifest_sha256"]),
    ):
        if (found := hashlib.sha256(data).hexdigest()) != digest:
            raise ValueError(f"{model_type}/{name} is damaged: its SHA-256 is {found[:12]}, expected {digest[:12]}")
    if json.loads(manifest)["digests"]["contract"] != rules["contract_digest"]:
        raise ValueError(f"{model_type} was made for another feature contract than decision.json")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def answers(session: ort.InferenceSession, rows: np.ndarray, names: Document) -> list[float]:
    """Run rows in one batch.

    Raises:
        ValueError: When the answer has another shape than one number per row.
    """
    (output,) = session.run([names["output"]], {names["input"]: rows})
    if output.shape != (len(rows), 1):
        raise ValueError(f"the model answers {len(rows)} rows with the shape {output.shape}, expected ({len(rows)}, 1)")
    return [float(value) for value in output[:, 0]]


def check_line(where: str, line: Document, kit_answers: Document, rules: Document, comparison: Comparison) -> None:
    """Recompute one golden line; `kit_answers` holds what the models say to it, alone and in the batch."""
    record = line["record"]
    inputs = model_inputs(record, rules)
    names = rules["inputs"][line["model_type"]]
    comparison.same(where, "number of features", len(line["features"]), len(names))
    for name, expected in zip(names, line["features"], strict=False):
        comparison.number(where, name, inputs[name], expected)

    alone = {model_type: kit_answers[model_type]["alone"] for model_type in MODEL_TYPES}
    comparison.number(where, "neural_score", alone[line["model_type"]], line["neural_score"])
    comparison.number(where, "neural_score in a batch", kit_answers[line["model_type"]]["batch"], line["neural_score"])
    comparison.number(where, "calling_score_neural", alone["calling_score"], line["calling_score_neural"])

    parts = formula(inputs, record, rules)
    comparison.number(where, "formula_score", parts["score"], line["formula_score"])
    for name in FORMULA_PARTS:
        comparison.number(where, f"formula.{name}", parts[name], line["formula"][name])
    rule = outcome_rule(inputs, rules)
    comparison.number(where, "outcome_rule", rule, line["outcome_rule"])

    agents_group = group(record["agent_id"], rules)
    comparison.same(where, "group", agents_group, line["group"])
    in_hybrid = agents_group == rules["groups"]["below"]
    weight = rules["models"]["calling_score"]["weight"] if in_hybrid else 0.0
    filter_on = rules["models"]["outcome"]["filter_on"]
    boost = either(record.get("trend_boost"), rules["decision"]["trend_boost_unknown"])
    comparison.number(where, "trend_boost", boost, line["trend_boost"])
    for name, neural, probability in (
        ("", alone["calling_score"], alone["outcome"]),
        ("calling_score_silent", None, alone["outcome"]),
        ("outcome_silent", alone["calling_score"], rule),
        ("both_silent", None, rule),
    ):
        decision = decide(parts["score"], neural, weight, probability, boost, rules, filter_on=filter_on)
        expected = line["fallbacks"][name] if name else line
        comparison.decision(where, f"{name}." if name else "", decision, expected)


def check_examples(rules: Document, comparison: Comparison) -> None:
    """Hold group, place and decision rules against the examples of decision.json, which are at the edges."""
    for agent_id, expected in rules["groups"]["examples"].items():
        comparison.same("decision.json", f"group of {agent_id!r}", group(agent_id, rules), expected)
    for example in rules["rollouts"]["examples"]:
        found_place = place(example["agent_id"], example["salt"], rules)
        comparison.same("decision.json", f"place of {example['agent_id']!r}", found_place, example["place"])
    for number, example in enumerate(rules["decision"]["examples"], 1):
        found = decide(
            example["formula_score"],
            example["neural_score"],
            example["weight"],
            example["outcome_probability"],
            example["trend_boost"],
            rules,
            filter_on=example["filter_on"],
        )
        where = f"decision.json, example {number}"
        for key in ("hybrid_score", "score"):
            comparison.number(where, f"example.{key}", found[key], example[key])
        for key in ("blocked", "called"):
            comparison.same(where, f"example.{key}", found[key], example[key])


def check_history(kit: Path, rules: Document, comparison: Comparison) -> None:
    """Recompute the history features of every line of history.jsonl."""
    texts = (kit / "history.jsonl").read_text("utf-8").splitlines()
    comparison.same("history.jsonl", "number of lines", len(texts), rules["history_lines"])
    for number, text in enumerate(texts, 1):
        where = f"history.jsonl, line {number}"
        try:
            line = json.loads(text)
            found = history_features(line["interactions"], line["at"], rules)
            for name, expected in line["history_features"].items():
                comparison.number(where, name, found[name], expected)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            comparison.findings.append(f"{where}: is not whole ({error!r})")


def check_assignment(kit: Path, rules: Document, comparison: Comparison) -> None:
    """Assign the agent of every line of assignment.jsonl; places are compared bit by bit."""
    texts = (kit / "assignment.jsonl").read_text("utf-8").splitlines()
    comparison.same("assignment.jsonl", "number of lines", len(texts), rules["assignment_lines"])
    for number, text in enumerate(texts, 1):
        where = f"assignment.jsonl, line {number}"
        try:
            line = json.loads(text)
            try:
                found: Document = assign(line["agent_id"], line["models"], rules)
            except ValueError:
                found = {"refused": True}
            for name in found:
                comparison.same(where, name, found[name], line.get(name))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            comparison.findings.append(f"{where}: is not whole ({error!r})")


def read_golden(kit: Path, rules: Document) -> tuple[list[Document], list[dict[str, float]]]:
    """Read the golden lines and derive their inputs.

    Raises:
        ValueError: When a line cannot be read.
    """
    lines, inputs = [], []
    for number, text in enumerate((kit / "golden.jsonl").read_text("utf-8").splitlines(), 1):
        try:
            line = json.loads(text)
            inputs.append(model_inputs(line["record"], rules))
            lines.append(line)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"golden.jsonl, line {number} cannot be read ({error!r})") from error
    return lines, inputs


def check_kit(kit: Path, comparison: Comparison, rules: Document) -> int:
    """Check everything; returns the number of golden lines.

    Raises:
        ValueError: When a file is not what it must be.
    """
    lines, inputs = read_golden(kit, rules)
    for model_type in MODEL_TYPES:
        n_lines = sum(line["model_type"] == model_type for line in lines)
        comparison.same("golden.jsonl", f"number of {model_type} lines", n_lines, rules["golden_lines"][model_type])
    check_examples(rules, comparison)
    check_history(kit, rules, comparison)
    check_assignment(kit, rules, comparison)
    by_model: dict[str, list[dict[str, float]]] = {}
    for model_type in MODEL_TYPES:
        session = open_model(kit, model_type, rules)
        names = rules["inputs"][model_type]
        rows = np.array([[row[name] for name in names] for row in inputs], dtype=np.float32)
        batch = answers(session, rows, rules["models"][model_type])
        alone = [answers(session, row[None, :], rules["models"][model_type])[0] for row in rows]
        by_model[model_type] = [{"alone": one, "batch": many} for one, many in zip(alone, batch, strict=True)]
    for number, line in enumerate(lines, 1):
        of_line = {model_type: by_model[model_type][number - 1] for model_type in MODEL_TYPES}
        where = f"golden.jsonl, line {number}"
        try:
            check_line(where, line, of_line, rules, comparison)
        except (KeyError, TypeError) as error:
            comparison.findings.append(f"{where}: is not whole ({error!r})")
    return len(lines)


def report(kit: Path) -> dict[str, Any]:
    """Check a kit; whatever is wrong becomes a finding."""
    comparison, n_lines = Comparison(parity=1e-6), 0
    try:
        rules = json.loads((kit / "decision.json").read_text("utf-8"))
        comparison.parity = rules["parity"]
        n_lines = check_kit(kit, comparison, rules)
    except KeyError as error:
        comparison.findings.append(f"the kit is not whole: {error} is missing")
    except (OSError, ValueError, TypeError, AttributeError, *REFUSALS) as error:
        comparison.findings.append(f"the kit cannot be used: {' '.join(str(error).split())}")
    return {
        "runtime": f"onnxruntime {ort.__version__}",
        "host": f"Python {sys.version.split()[0]}, NumPy {np.__version__}",
        "n_lines": n_lines,
        "parity": comparison.parity,
        "largest": comparison.largest,
        "findings": comparison.findings,
    }


def told(checked: Document) -> str:
    """Write a report for people."""
    lines = [f"{checked['runtime']}, {checked['host']}: {checked['n_lines']} golden lines"]
    lines += [f"  {name:40} {value:.3g}" for name, value in checked["largest"].items() if value > 0.0]
    largest = max(checked["largest"].values(), default=math.nan)
    lines.append(f"largest difference {largest:.3g}, allowed {checked['parity']:g}")
    findings = checked["findings"]
    if not findings:
        return "\n".join([*lines, "everything agrees"])
    lines += [f"DIFFERS {finding}" for finding in findings[:MAX_TOLD]]
    lines.append(f"{len(findings)} findings: this runtime does not compute what the kit says")
    return "\n".join(lines)


def main() -> int:
    """Check the kit in a folder; returns the exit status."""
    parser = argparse.ArgumentParser(description="Check a client kit in this interpreter's ONNX Runtime.")
    parser.add_argument("kit", nargs="?", type=Path, default=Path(__file__).parent, help="folder of the kit")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    checked = report(arguments.kit)
    sys.stdout.write((json.dumps(checked, indent=2) if arguments.json else told(checked)) + "\n")
    return 1 if checked["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
