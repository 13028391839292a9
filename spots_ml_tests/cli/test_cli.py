import contextlib
import json
import os
import sqlite3
import subprocess
import sys

import pytest
from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml.cli.group import COMMANDS
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.pipeline.told_exports import outcome, report, write
from spots_ml_tests.pipeline.told_exports import record as told_record
from spots_ml_tests.registry.blessing import bless
from spots_ml_tests.registry.building import two_versions_in

MODEL = "calling_score"
PROMOTE = ("promote", "--force", "--reason", "sure", MODEL)


@pytest.fixture
def spots_ml(tmp_path):
    """Runs `spots-ml` with data and artifacts in a temporary folder."""
    environment = {
        "SPOTS_ML_DATA_DIR": str(tmp_path / "data"),
        "SPOTS_ML_ARTIFACTS_DIR": str(tmp_path / "artifacts"),
        "SPOTS_ML_SOURCE": "synthetic",
    }

    def run(*arguments, **variables):
        return CliRunner().invoke(main, [str(one) for one in arguments], env=environment | variables)

    return run


@pytest.fixture
def two_versions(tmp_path):
    return two_versions_in(tmp_path)


def refused(result, status, told):
    assert result.exit_code == status
    assert result.stdout == ""
    assert told in result.stderr
    assert "Traceback" not in result.output
    return True


def test_versions_as_json_lists_what_scripts_rely_on(spots_ml, two_versions):
    listed = json.loads(spots_ml("versions", "--json").stdout)

    assert [one["version"] for one in listed] == ["v1.0-synthetic", "v1.1-synthetic"]
    for one, kept in zip(listed, two_versions.list_versions(), strict=True):
        assert (one["model_type"], one["status"], one["weight"]) == (MODEL, "staging", 0.1)
        assert one["created_at"] == kept.created_at.isoformat().replace("+00:00", "Z")
        assert (one["metrics"], one["sha256"]) == ({"test_mse": 0.0224}, kept.sha256)


def test_versions_of_an_empty_registry_are_an_empty_list(spots_ml):
    assert json.loads(spots_ml("versions", "--json").stdout) == []
    assert "no versions yet" in spots_ml("versions").stdout


def test_versions_can_be_narrowed_to_one_model(spots_ml, two_versions):
    assert json.loads(spots_ml("versions", "--json", "--model", "outcome").stdout) == []


def test_show_tells_what_a_version_is_and_what_happened_to_it(spots_ml, two_versions, tmp_path):
    shown = json.loads(spots_ml("show", MODEL, "v1.0-synthetic", "--json").stdout)
    text = spots_ml("show", MODEL, "v1.0-synthetic").stdout

    assert shown["directory"] == str(tmp_path / "artifacts/models/calling_score/v1.0-synthetic")
    assert [entry["action"] for entry in shown["history"]] == ["registered"]
    assert "test_mse" in text and "0.0224" in text and "registered" in text


def test_what_cannot_be_measured_is_not_promoted_unless_somebody_says_so(spots_ml, two_versions):
    bless(two_versions, MODEL, "v1.0-synthetic")
    refused = spots_ml("promote", MODEL, "v1.0-synthetic")
    assert refused.exit_code == 1
    assert "what promoting calling_score v1.0-synthetic would change cannot be measured here" in refused.stderr
    assert "`--force --reason" in refused.stderr
    assert spots_ml("versions", "--json").stdout.count('"active"') == 0
    assert spots_ml(*PROMOTE, "v1.0-synthetic").exit_code == 0


def test_the_life_of_a_version_by_hand(spots_ml, two_versions):
    assert "v1.0-synthetic is active now" in spots_ml(*PROMOTE, "v1.0-synthetic", "--actor", "ann").stdout
    assert spots_ml(*PROMOTE, "v1.1-synthetic", "--reason", "better").exit_code == 0
    assert "v1.0-synthetic is active again" in spots_ml("rollback", MODEL).stdout
    assert "archived" in spots_ml("archive", MODEL, "v1.1-synthetic").stdout

    history = json.loads(spots_ml("history", MODEL, "--json").stdout)
    assert [entry["action"] for entry in history][2:] == [
        "promoted",
        "superseded",
        "promoted",
        "rolled_back",
        "restored",
        "archived",
    ]
    assert (history[2]["actor"], history[4]["reason"]) == ("ann", "better")
    assert [entry["forced"] for entry in history][2:] == [True, False, True, False, False, False]
    entries, _ = spots_ml("history", MODEL, "v1.1-synthetic").stdout.split("\n\n")
    assert len(entries.splitlines()) == 5


def test_a_weight_is_set_by_hand_and_told_with_who_and_why(spots_ml, two_versions):
    spots_ml(*PROMOTE, "v1.0-synthetic")
    weighed = spots_ml("weight", MODEL, "v1.0-synthetic", 0.3, "--actor", "ann", "--reason", "trusted")
    assert "calling_score v1.0-synthetic is active, weight 0.3 now" in weighed.stdout

    versions = json.loads(spots_ml("versions", "--json").stdout)
    assert [(one["weight"], one["traffic"]) for one in versions] == [(0.3, 1.0), (0.1, 0.0)]
    *_, weight = json.loads(spots_ml("history", MODEL, "--json").stdout)
    names = ("action", "from_value", "to_value", "actor", "reason")
    assert [weight[name] for name in names] == ["weight_set", 0.1, 0.3, "ann", "trusted"]
    assert "0.1 -> 0.3" in spots_ml("history", MODEL).stdout


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["weight", MODEL, "v1.0-synthetic", "1.5"], 1, "the weight 1.5 is no share; expected a number in [0, 1]"),
        (["weight", MODEL, "v1.0-synthetic", "much"], 2, "'much' is not a valid float"),
        (["weight", MODEL, "v9.9-real", "0.3"], 1, "registered are: v1.0-synthetic, v1.1-synthetic"),
        (["promote", MODEL, "v9.9-real"], 1, "registered are: v1.0-synthetic, v1.1-synthetic"),
        (["rollback", MODEL], 1, "no version of calling_score is active"),
        (["show", MODEL, "nonsense"], 1, "there is no calling_score nonsense"),
        (["history", MODEL, "nonsense"], 1, "there is no calling_score nonsense"),
        (["verify", MODEL, "nonsense"], 1, "there is no calling_score nonsense"),
        (["promote", "score", "v1.0-synthetic"], 2, "'score' is not one of"),
        (["import", "/nowhere/export.json"], 2, "does not exist"),
        (["generate", "--rows", "0", "--out", "x.json"], 2, "--rows"),
        (["launch"], 2, "No such command"),
    ],
)
def test_what_cannot_be_done_is_one_message_and_an_exit_status(spots_ml, two_versions, arguments, status, told):
    assert refused(spots_ml(*arguments), status, told)


def test_a_wrong_setting_is_one_message_and_status_2(spots_ml):
    assert refused(spots_ml("versions", SPOTS_ML_SOURCE="csv"), 2, "expected one of: synthetic, export, embedded")


def test_a_file_that_is_no_export_is_one_message_and_changes_nothing(spots_ml, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text('{"training_data": [')

    assert refused(spots_ml("import", broken), 1, "broken.json")
    assert not embedded_store(tmp_path / "data" / "spots_ml.sqlite").interactions.count_labels_after(None)


def test_what_generate_wrote_import_takes_in_once(spots_ml, tmp_path):
    export = tmp_path / "export.json.gz"

    assert "300 interactions written" in spots_ml("generate", "--rows", 300, "--seed", 3, "--out", export).stdout
    first = json.loads(spots_ml("import", export, "--json").stdout)
    again = json.loads(spots_ml("import", export, "--json").stdout)

    assert (first["n_read"], first["n_new"], first["n_new_labels"]) == (300, 300, 300)
    assert (again["n_unchanged"], again["n_new_labels"], again["n_labels_in_store"]) == (300, 0, 300)
    assert "300 unchanged" in spots_ml("import", export).stdout


def test_import_tells_what_went_to_quarantine_and_why(spots_ml, tmp_path):
    export = tmp_path / "export.json"
    spots_ml("generate", "--rows", 20, "--out", export)
    document = json.loads(export.read_text())
    document["training_data"][3]["outcome_score"] = 1.5
    export.write_text(json.dumps(document))

    text = spots_ml("import", export).stdout
    assert "19 new" in text and "1 quarantined" in text and "out_of_range: 1" in text


def test_an_export_that_a_run_would_refuse_is_not_imported_unless_that_is_wanted(spots_ml, tmp_path):
    export = tmp_path / "export.json"
    spots_ml("generate", "--rows", 200, "--out", export)
    document = json.loads(export.read_text())
    for record in document["training_data"][::3]:
        record["outcome_score"] = 1.5
    export.write_text(json.dumps(document))

    refused = spots_ml("import", export)
    assert refused.exit_code == 1
    assert "67 of 200 records are broken" in refused.stderr and "--accept-broken" in refused.stderr
    taken = json.loads(spots_ml("import", export, "--accept-broken", "--json").stdout)
    assert (taken["n_new"], taken["n_quarantined"]) == (133, 67)


def test_the_real_export_is_taken_in_whole_and_once(spots_ml, reference_dir):
    path = reference_dir / "calling_score_training_data.json.gz"

    first = json.loads(spots_ml("import", path, "--json").stdout)
    again = json.loads(spots_ml("import", path, "--json").stdout)
    assert (first["n_new"], first["n_quarantined"], again["n_unchanged"]) == (10_000, 0, 10_000)


def test_verify_names_the_damaged_file_and_fails(spots_ml, two_versions, tmp_path):
    path = tmp_path / "artifacts/models/calling_score/v1.0-synthetic/model.onnx"
    path.write_bytes(path.read_bytes()[::-1])

    result = spots_ml("verify", MODEL, "v1.0-synthetic")
    assert result.exit_code == 1
    assert str(path) in result.stdout
    assert "model.onnx" in result.stderr


def test_every_command_has_a_help_text(spots_ml):
    listed = spots_ml("--help").stdout
    for name in COMMANDS:
        assert name in listed
        assert spots_ml(name, "--help").exit_code == 0


def test_help_loads_no_heavy_library():
    loads = "import sys; from spots_ml.cli import main; main(['--help'], standalone_mode=False)"
    script = f"{loads}; print('LOADED', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = done.stdout.partition("LOADED ")[2].split()

    assert "click" in loaded
    assert not {"torch", "dagster", "pyarrow", "numpy", "sklearn"} & set(loaded)


def test_trouble_of_the_machine_is_one_sentence(spots_ml, tmp_path):
    (tmp_path / "data").write_text("no folder")

    assert refused(spots_ml("versions"), 1, "a file stands where a folder is expected")


def test_a_dagster_home_that_cannot_be_used_is_one_sentence(spots_ml, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}")
    (home / "history").write_text("no folder")

    assert refused(spots_ml("due", DAGSTER_HOME=str(home)), 1, "a file stands where a folder is expected")


def test_an_import_names_keys_and_values(spots_ml, tmp_path):
    export = tmp_path / "export.json"
    spots_ml("generate", "--rows", 20, "--out", export)
    document = json.loads(export.read_text())
    document["training_data"][3]["context_features"]["trend_bost"] = 0.3
    export.write_text(json.dumps(document))

    text = spots_ml("import", export).stdout

    assert "    unknown_key: context_features.trend_bost: 1" in text
    assert "record 3: unknown_key: context_features.trend_bost = 0.3" in text


@pytest.mark.parametrize("text", ["new\nline", "\x1b[2J", "\u202e", "\udcff", "x" * 1_001])
@pytest.mark.parametrize("option", ["--reason", "--actor"])
def test_what_goes_into_the_history_is_one_line(spots_ml, two_versions, option, text):
    before = two_versions.history()

    result = spots_ml("promote", MODEL, "v1.0-synthetic", option, text)

    assert refused(result, 2, option.removeprefix("--"))
    assert two_versions.history() == before


def test_a_history_from_elsewhere_cannot_forge_a_row(spots_ml, two_versions, tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "spots_ml.sqlite")) as connection, connection:
        connection.execute(
            "INSERT INTO version_history (at, model_type, version, action, from_status, to_status, actor, reason)"
            " SELECT at, model_type, version, 'reaffirmed', to_status, to_status, actor, 'fine\nFORGED  ROW'"
            " FROM version_history LIMIT 1"
        )

    lines = spots_ml("history").stdout.splitlines()

    assert any("fine\\nFORGED  ROW" in line for line in lines)
    assert not any(line.startswith("FORGED") for line in lines)


def test_names_that_are_no_utf_8_are_told_and_no_traceback(spots_ml, tmp_path):
    out = tmp_path / os.fsdecode(b"out-\xff.json")

    assert spots_ml("generate", "--rows", 10, "--out", out).exit_code == 0
    assert spots_ml("import", out).exit_code == 0


@pytest.mark.parametrize("group", [(), ("db",)])
def test_no_sentence_of_a_help_text_is_cut_off(spots_ml, group):
    commands = spots_ml(*group, "--help").stdout.partition("Commands:")[2]

    assert commands and "..." not in commands


def test_a_relative_dagster_home_is_meant_from_the_project(monkeypatch):
    from spots_ml.defs.history.home import dagster_home
    from spots_ml.settings import PROJECT_ROOT

    monkeypatch.setenv("DAGSTER_HOME", "relative/home")

    assert dagster_home() == PROJECT_ROOT / "relative" / "home"


OF_THE_FORMULA = {
    "agent_id": "agent-2",
    "arm": "formulaBased",
    "weight": 0.0,
    "neural_score": None,
    "model_version": None,
    "outcome_model_version": None,
    "experiment": None,
    "stage": None,
}


def test_check_log_tells_each_part_in_a_sentence_and_what_is_missing_by_its_exit(spots_ml, tmp_path):
    good = write(tmp_path / "good.json", *(report(number, **OF_THE_FORMULA) | outcome(number) for number in range(9)))
    told = spots_ml("check-log", good)
    assert told.exit_code == 0
    assert "ok      claims        9 of 9 (100.0 %) count" in told.stdout
    assert told.stdout.endswith("Nothing is missing for proof.\n")

    bad = write(tmp_path / "bad.json", *(report(number) for number in range(9)))
    told = spots_ml("check-log", bad)
    assert told.exit_code == 1
    assert "MISSING claims" in told.stdout
    document = json.loads(spots_ml("check-log", bad, "--json").stdout)
    assert document["proof"] == "missing"
    assert {"claims": {"not_in_service": 9}}.items() <= {
        one["topic"]: one["numbers"] for one in document["findings"]
    }.items()


def test_check_log_reads_a_file_or_the_store_and_never_both(spots_ml, tmp_path):
    path = write(tmp_path / "e.json", report(1))
    for arguments in ((), (path, "--store")):
        assert refused(spots_ml("check-log", *arguments), 2, "name a FILE, or say --store")
    told = spots_ml("check-log", "--store")
    assert (told.exit_code, "0 decisions of phones are reported" in told.stdout) == (1, True)


def test_an_import_tells_of_phones_and_of_outcomes_without_a_decision(spots_ml, tmp_path):
    off = told_record(2, timestamp="2026-11-21T12:02:00.001Z") | outcome(2)
    path = write(tmp_path / "e.json", report(1) | outcome(1), report(2), off)
    text = spots_ml("import", path).stdout
    assert "2 records tell what a phone decided" in text
    assert "1 of 2 outcomes belong to no decision that was logged" in text
    document = json.loads(spots_ml("import", path, "--json").stdout)
    assert document["n_phone_decisions"] == 2
    assert document["outcomes"] == {"n_outcomes": 2, "n_without_decision": 1, "n_near": 1}
