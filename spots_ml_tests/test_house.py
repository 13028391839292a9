"""The rules of the house that no linter knows: rooms of a size one can overlook, one name for one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import spots_ml

PACKAGE = Path(spots_ml.__file__).parent
TESTS = Path(__file__).parent

MOST_MODULES = 15
"""Modules in one folder; a larger one is two rooms."""

STAND_ALONE = ("release/client_kit/files", "release/certification/client_check.py")
"""Programs that other interpreters run: they cannot import a name from here, and nobody imports theirs."""

TWO_STORES = {"stores/embedded", "stores/supabase"}
"""Both implement the same Protocols, module by module."""


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(STAND_ALONE):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def test_no_folder_holds_more_modules_than_one_can_overlook():
    counts = defaultdict(int)
    for path in PACKAGE.rglob("*.py"):
        if not path.stem.startswith("__"):
            counts[path.parent.relative_to(PACKAGE).as_posix()] += 1
    assert {folder: n for folder, n in counts.items() if n > MOST_MODULES} == {}


def test_a_public_name_means_one_thing():
    homes = defaultdict(list)
    for name, tree in modules():
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                homes[node.name].append(name)
    doubled = {name: places for name, places in homes.items() if len(places) > 1 and not _implementations(places)}
    assert doubled.pop("main", None) in (None, ["cli/data_docs.py", "cli/group.py"])  # what a program starts with
    assert doubled == {}


def _implementations(places):
    return len(places) == len({_store(place) for place in places}) and all(map(_store, places))


def _store(place):
    return next((store for store in TWO_STORES if place.startswith(f"{store}/")), None)


def test_no_test_imports_from_another_test_or_a_conftest():
    found = []
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("spots_ml_tests"):
                last = (node.module or "").rpartition(".")[2]
                if last == "conftest" or last.startswith("test_"):
                    found.append(f"{path.relative_to(TESTS).as_posix()}: {node.module}")
    assert found == []


@pytest.mark.parametrize(
    "folder",
    sorted(p for p in PACKAGE.rglob("*") if p.is_dir() and any(p.glob("*.py"))),
    ids=lambda p: p.relative_to(PACKAGE).as_posix(),
)
def test_every_room_says_what_it_is_for(folder):
    if folder.relative_to(PACKAGE).as_posix() in STAND_ALONE:
        return
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
