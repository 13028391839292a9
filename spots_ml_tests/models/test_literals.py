"""No code names a kind of model: whoever needs to know something about one asks its declaration."""

import ast
from pathlib import Path

import pytest

import spots_ml
from spots_ml.models.declared import declared_types

ROOT = Path(spots_ml.__file__).parent
DECLARATIONS = ROOT / "models"
SHIPPED = ROOT / "release" / "client_kit" / "files"
"""Goes to app teams as it is, and runs without this package."""

WORDS = {
    "features/contract.py": "what the two rows of inputs are called in the contract, whose digest may not change",
    "cli/registry/sync.py": "heading of a column: what came of a version",
    "defs/pages/interactions.py": "heading of a column: what came of an interaction",
    "defs/pages/performance.py": "heading of a row: how good the outcomes were",
    "interactions/reading/record_layout.py": "name of a key that a record may have",
    "monitoring/proof/log_check.py": "name of a key that a record may have",
    "scoring/decision_log/told_reports.py": "name of a key that a record may have",
    "stores/supabase/migrations/preflight.py": "name of a column that an app's table may have",
    "training/confidence.py": "name of an argument in a message: the outcome scores",
}
"""Where a string that reads like a kind's name is a word of its own, and which."""


def literals(path: Path, names: tuple[str, ...]) -> list[int]:
    """Find the lines of a module on which a string is a kind's name, or the place of one in a path or a sentence."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    loose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in loose
        if node.value.partition("/")[0].strip(" :") in names
    ]


def test_kinds_are_named_where_they_are_declared_alone() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): lines
        for path in sorted(ROOT.rglob("*.py"))
        if DECLARATIONS not in path.parents and SHIPPED not in path.parents
        if (lines := literals(path, declared_types()))
    }
    strangers = {path: lines for path, lines in found.items() if path not in WORDS}
    assert strangers == {}, "ask spots_ml.models.declared for the model by its role, or for all of them"
    assert set(WORDS) == set(found), "an exception that nothing needs any more is to be taken back"


@pytest.mark.parametrize(
    ("code", "n_found"),
    [
        ('kind = "outcome"', 1),
        ('if kind == "calling_score": pass', 1),
        ('told = f"outcome {version}"', 1),
        ('path = "calling_score/v1.0-real"', 1),
        ('told = f"{model}: outcome"', 1),
        ('told = f"outcome: {reason}"', 1),
        ('told = "outcome filter"', 0),
        ('"""outcome"""', 0),
        ('column = "outcome_score"', 0),
        ('table = "calling_score_training_data"', 0),
    ],
)
def test_the_rule_sees_a_name_and_nothing_else(tmp_path: Path, code: str, n_found: int) -> None:
    module = tmp_path / "module.py"
    module.write_text(code)
    assert len(literals(module, ("calling_score", "outcome"))) == n_found
