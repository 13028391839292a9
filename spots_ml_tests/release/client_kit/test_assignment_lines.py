"""Who is treated: the kit's rules in Python and in Node, and the scorer's hash of many agents, give the same bits."""

import importlib.util
import json
import subprocess
from collections import Counter

import numpy as np
import pytest

from spots_ml.release.client_kit.assignment_lines import EDGES, HALVES, assignment_lines
from spots_ml.release.client_kit.kit import FILES_DIR
from spots_ml.scoring.arms import Arm
from spots_ml.scoring.assignment import FactorialAssignment, group_of, place_of
from spots_ml.scoring.challengers import Challenger
from spots_ml_tests.release.client_kit.runtimes import NODE, PROJECT

CONTRACT = PROJECT / "docs" / "contract.md"

ASK = """
import { readFileSync } from "node:fs";
const { group, place } = await import(process.argv[1]);
const { rules, asked } = JSON.parse(readFileSync(0, "utf8"));
const answers = asked.map(([id, salt]) => [group(id, rules), place(id, salt, rules)]);
console.log(JSON.stringify(answers));
"""
ALPHABET = [*'abcABC019-_:. \t"\\\\ßéλЖ中', "e\u0301", "\ufffd", "\u2028", "\N{GRINNING FACE}", "\ud83d", "\ude00"]


@pytest.fixture(scope="module")
def rules(whole_kit):
    return json.loads((whole_kit[0] / "decision.json").read_bytes())


@pytest.fixture(scope="module")
def python_rules():
    spec = importlib.util.spec_from_file_location("kit_rules", FILES_DIR / "rules.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def asked():
    """Ids of all kinds of signs, and salts of 32 hexadecimal digits."""
    rng = np.random.default_rng(20_261_125)
    ids = ["".join(rng.choice(ALPHABET, size=rng.integers(1, 20))) for _ in range(1_500)]
    return [(one, rng.bytes(16).hex()) for one in (*ids, *EDGES, *HALVES)]


def test_python_and_node_place_any_agent_where_the_service_does(asked, rules, python_rules):
    expected = [[group_of(id_), place_of(id_, salt)] for id_, salt in asked]
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", ASK, (FILES_DIR / "rules.mjs").as_uri()],
        input=json.dumps({"rules": rules, "asked": asked}),
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout) == expected
    assert [[python_rules.group(id_, rules), python_rules.place(id_, salt, rules)] for id_, salt in asked] == expected
    assert any("\ud83d" in id_ for id_, _ in asked)


def test_many_agents_at_once_are_placed_where_one_is(asked):
    whole = [id_ for id_, _ in asked if id_.isascii() or id_ == id_.encode("utf-8", "replace").decode()]
    salt = asked[0][1]
    positions = assigned(whole, salt, share=0.5)

    assert len(whole) > 300
    assert [int(position) for position in positions] == [
        (1 + (place_of(id_, salt) < 0.5)) if group_of(id_) == "hybrid" else 0 for id_ in whole
    ]


def assigned(ids, salt, *, share):
    versions = {"calling_score": None, "outcome": None}
    challenger = Challenger("rollout-1", 1, share, salt, "calling_score", "v1.0-real", 0.1)
    arms = Arm("formula", versions, 0.0), Arm("champion", versions, 0.1)
    return FactorialAssignment(*arms, (challenger,)).assign(ids, np.zeros(len(ids), "datetime64[us]"))


def test_the_lines_hold_every_arm_and_every_edge():
    lines = assignment_lines()
    arms = Counter((line["group"], *line["treated"].values()) for line in lines if "refused" not in line)

    assert arms.keys() == {
        ("formulaBased", False, False),
        *(("hybrid", one, other) for one in (False, True) for other in (False, True)),
    }
    assert min(arms.values()) >= 5
    assert {line["agent_id"] for line in lines} >= {None, *EDGES, *HALVES}
    offers = [(line, model["rolling_out"]) for line in lines for model in line["models"].values()]
    assert [line["refused"] for line, offer in offers if offer and offer.get("salt") == ""] == [True]
    assert [line["treated"] for line, offer in offers if offer and "salt" not in offer] == [
        {"calling_score": False, "outcome": False}
    ] * 2
    assert f"| `assignment.jsonl` | {len(lines)} lines:" in CONTRACT.read_text("utf-8")
    at_the_edge = [
        (offer["traffic"] == place, treated)
        for line in lines
        if "refused" not in line
        for offer, place, treated in zip(
            (model["rolling_out"] for model in line["models"].values()),
            line["places"].values(),
            line["treated"].values(),
            strict=True,
        )
        if offer and place is not None and abs(offer["traffic"] - place) < 1e-9
    ]
    assert at_the_edge == [(True, False), (False, True)]
    assert {line["stage"] for line in lines if "refused" not in line} == {None, 1, 21}


def test_who_is_treated_has_the_challengers_version_weight_and_filter():
    for line in assignment_lines():
        if "refused" in line:
            continue
        for kind, treated in line["treated"].items():
            model = line["models"][kind]["rolling_out" if treated else "active"]
            assert line["versions"][kind] == (model and model["version"])
            if kind == "calling_score" and line["group"] == "hybrid":
                assert line["weight"] == (model["weight"] if model else 0.0)
            if kind == "outcome":
                assert line["filter_on"] == (model is not None and model["filter_on"])
        if line["group"] == "formulaBased":
            assert (line["weight"], line["experiment"], line["stage"]) == (0.0, None, None)
