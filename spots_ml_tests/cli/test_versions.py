"""Commands about versions as a person sees them: what is live, each change and its way back, and no forged line."""

import contextlib
import json
import re
import sqlite3

import pytest
from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml_tests.registry.blessing import bless
from spots_ml_tests.registry.building import two_versions_in

MODEL, FIRST, SECOND = "calling_score", "v1.0-synthetic", "v1.1-synthetic"


@pytest.fixture
def versions(tmp_path):
    return two_versions_in(tmp_path)


@pytest.fixture
def do(tmp_path, versions):
    environment = {"SPOTS_ML_DATA_DIR": str(tmp_path / "data"), "SPOTS_ML_ARTIFACTS_DIR": str(tmp_path / "artifacts")}

    def run(*arguments):
        return CliRunner().invoke(main, list(arguments), env=environment)

    return run


def told(result):
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("looking", [["versions"], ["history"], ["history", MODEL], ["show", MODEL, FIRST]])
def test_whoever_looks_is_told_what_is_live(do, looking):
    assert f"the formula answers: no {MODEL} version is active; `spots-ml bless {MODEL} {SECOND}`, then" in told(
        do(*looking)
    )
    told(do("promote", MODEL, FIRST, "--force", "--reason", "sure", "--actor", "ann"))
    assert f"{FIRST} is live, weight 0.1, since change 3 by ann" in told(do(*looking))
    told(do("withdraw", MODEL, "--actor", "bob"))
    assert "the formula answers" in told(do(*looking))
    assert ", since change 4 by bob" in told(do(*looking))
    assert re.search("^4 .*withdrawn", told(do("history", MODEL)), re.MULTILINE)


def test_every_change_has_a_command_back(do, versions):
    def status():
        return versions.get(MODEL, FIRST).status

    told(do("promote", MODEL, FIRST, "--force", "--reason", "sure"))
    rolled_back = told(do("rollback", MODEL))
    assert "no version is active: the formula answers" in rolled_back
    assert f"`spots-ml bless {MODEL} {FIRST}`, then `spots-ml promote {MODEL} {FIRST} --reason" in rolled_back
    again = do("promote", MODEL, FIRST, "--force")
    assert (again.exit_code, status()) == (1, "deprecated")
    assert 'without a blessing; say why: `--force --reason "..."`' in again.stderr
    assert f"`spots-ml bless {MODEL} {FIRST}` compares them" in do("promote", MODEL, FIRST).stderr
    told(do("promote", MODEL, FIRST, "--force", "--reason", "it was not the model"))
    refused = do("archive", MODEL, FIRST)
    assert f"`spots-ml withdraw {MODEL}`" in refused.stderr
    told(do("withdraw", MODEL))
    told(do("archive", MODEL, FIRST))
    assert "is archived and cannot be promoted" in do("promote", MODEL, FIRST, "--force", "--reason", "now").stderr
    assert "is in staging again" in told(do("unarchive", MODEL, FIRST, "--reason", "needed"))
    assert status() == "staging"


def test_a_reason_cannot_forge_a_line_of_the_history(do, versions, tmp_path):
    """One that is refused today may stand in a history of before."""
    forged = "old\n2026-11-21 12:00:00  calling_score  v1.1-synthetic  promoted\u2028\x1b[2K\u202e"
    assert do("promote", MODEL, FIRST, "--force", "--reason", forged).exit_code != 0
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "spots_ml.sqlite")) as connection, connection:
        connection.execute(
            "INSERT INTO version_history (at, model_type, version, action, from_status, to_status, actor, reason)"
            " VALUES ('2026-11-21T12:00:00.000000+00:00', ?, ?, 'archived', 'staging', 'archived', ?, ?)",
            (MODEL, FIRST, "eve\r", forged),
        )
    lines = told(do("history", MODEL)).split("\n\n")[0].splitlines()

    assert len(lines) == 1 + 3
    assert "old\\n2026-11-21" in lines[-1]
    assert all(line.isprintable() for line in lines)


def test_a_blessing_says_what_was_found_and_ends_with_1_where_it_is_a_no(do, versions):
    refused = do("bless", MODEL, FIRST, "--actor", "ann")
    assert refused.exit_code == 1
    assert f"{MODEL} {FIRST} is NOT blessed, number 1: it does not answer" in refused.stdout
    assert versions.newest_blessing(MODEL, FIRST, None).actor == "ann"

    told = json.loads(do("bless", MODEL, FIRST, "--json").stdout)
    assert (told["number"], told["blessing"]["passed"], told["made_already"]) == (2, False, False)


def test_a_refused_promotion_names_the_way(do, versions):
    bless(versions, MODEL, FIRST, passed=False, sentence="worse at night")
    asked = do("promote", MODEL, FIRST)
    assert asked.exit_code == 1
    assert "it was not good enough (worse at night)" in asked.stderr
    told(do("promote", MODEL, FIRST, "--force", "--reason", "sure"))
    assert "forced" in told(do("history", MODEL))


def test_who_compares_is_one_line(do, versions):
    assert do("bless", MODEL, FIRST, "--actor", "ann\nbob").exit_code != 0
    assert versions.newest_blessing(MODEL, FIRST, None) is None


def test_what_is_live_is_not_blessed(do):
    told(do("promote", MODEL, FIRST, "--force", "--reason", "sure"))
    assert "is active; only a staging or a deprecated version is blessed" in do("bless", MODEL, FIRST).stderr
