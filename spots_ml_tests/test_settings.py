import os
import re

import pytest

from spots_ml.errors import ConfigError
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.places import LOCAL_PROJECT_ENV
from spots_ml.settings import PROJECT_ROOT, Settings


def test_without_variables_everything_has_its_default():
    settings = Settings.from_env({})

    assert settings == Settings()
    assert (settings.source, settings.synthetic_rows) == ("synthetic", 10_000)
    assert settings.places.database == PROJECT_ROOT / "data" / "spots_ml.sqlite"


def test_every_variable_is_honoured(tmp_path):
    settings = Settings.from_env(
        {
            "SPOTS_ML_SOURCE": "export",
            "SPOTS_ML_EXPORT_PATH": str(tmp_path / "export.json"),
            "SPOTS_ML_STORE": "embedded",
            "SPOTS_ML_SUPABASE_URL": "https://project.supabase.co",
            "SPOTS_ML_SUPABASE_KEY": "sb_secret_1",
            "SPOTS_ML_SUPABASE_DSN": "postgresql://reader:word@pooler/postgres",
            "SPOTS_ML_DATA_DIR": str(tmp_path / "data"),
            "SPOTS_ML_ARTIFACTS_DIR": "out",
            "SPOTS_ML_PROFILE": "configs/training/default.yaml",
            "SPOTS_ML_CLIENT_PYTHON": "/usr/bin/python3",
            "SPOTS_ML_SYNTHETIC_ROWS": "5",
            "SPOTS_ML_SYNTHETIC_SEED": "6",
            "SPOTS_ML_MAX_BROKEN_SHARE": "0.2",
            "SPOTS_ML_RETRAIN_NEW_LABELS": "7",
            "SPOTS_ML_RETRAIN_MAX_AGE_DAYS": "0.5",
            "SPOTS_ML_MATURITY_HOURS": "12.5",
            "SPOTS_ML_MAX_FALLBACK_SHARE": "0.1",
            "SPOTS_ML_EXPLORATION": "0.05",
            "SPOTS_ML_ROLLOUT_AUTO_START": "no",
            "SPOTS_ML_ROLLOUT_WHEN_BUSY": "supersede",
            "SPOTS_ML_ROLLOUT_WINDOW_DAYS": "3",
            "SPOTS_ML_ROLLOUT_LONGEST_DAYS": "30",
            "SPOTS_ML_ROLLOUT_LEVEL": "0.1",
            "SPOTS_ML_ROLLOUT_TRUSTED_WEIGHT": "0.5",
            "SPOTS_ML_ROLLOUT_MOST_FALLBACKS": "0.2",
            "SPOTS_ML_OPPORTUNITIES": "pairs",
            "SPOTS_ML_DATA_DOCS_URL": "http://docs/",
        }
    )

    assert settings.export_path == tmp_path / "export.json"
    assert settings.require_supabase() == ("https://project.supabase.co", "sb_secret_1")
    assert settings.supabase_dsn == "postgresql://reader:word@pooler/postgres"
    assert settings.data_dir == tmp_path / "data"
    assert settings.artifacts_dir == PROJECT_ROOT / "out"
    assert settings.profile == PROJECT_ROOT / "configs/training/default.yaml"
    assert str(settings.client_python) == "/usr/bin/python3"
    assert (settings.synthetic_rows, settings.synthetic_seed, settings.max_broken_share) == (5, 6, 0.2)
    assert (settings.retrain.new_labels, settings.retrain.max_age_days) == (7, 0.5)
    assert (settings.maturity_hours, settings.max_fallback_share, settings.exploration) == (12.5, 0.1, 0.05)
    assert settings.rollout == RolloutPolicy(
        auto_start=False,
        when_busy="supersede",
        window_days=3,
        longest_days=30,
        lifetime_level=0.1,
        trusted_weight=0.5,
        most_fallbacks=0.2,
        maturity_hours=24.0,  # no less than phones have to report a decision
    )
    assert settings.opportunities == PROJECT_ROOT / "pairs"
    assert settings.data_docs_url == "http://docs"


def test_an_empty_value_counts_as_not_set():
    assert Settings.from_env({"SPOTS_ML_SOURCE": "", "SPOTS_ML_EXPORT_PATH": " "}) == Settings()


def test_other_variables_are_ignored():
    assert Settings.from_env({"HOME": "/root", "DAGSTER_HOME": "/x"}) == Settings()


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"SPOTS_ML_SOURCE": "redis"}, "expected one of: synthetic, export, embedded, supabase"),
        ({"SPOTS_ML_STORE": "redis"}, "expected one of: embedded, supabase"),
        ({"SPOTS_ML_SOURCE": "supabase"}, "SPOTS_ML_STORE is 'embedded'; interactions come from the store"),
        ({"SPOTS_ML_STORE": "supabase"}, "SPOTS_ML_SUPABASE_URL and SPOTS_ML_SUPABASE_KEY not set.*make dev-supabase"),
        ({"SPOTS_ML_STORE": "supabase", "SPOTS_ML_SUPABASE_URL": "x"}, "SPOTS_ML_SUPABASE_KEY not set"),
        ({"SPOTS_ML_SOURCE": "export"}, "SPOTS_ML_EXPORT_PATH is not set"),
        ({"SPOTS_ML_EXPORT_PATH": "x.json"}, "would be ignored"),
        ({"SPOTS_ML_SYNTHETIC_ROWS": "many"}, "a whole number from 1"),
        ({"SPOTS_ML_SYNTHETIC_ROWS": "0"}, "a whole number from 1"),
        ({"SPOTS_ML_MAX_BROKEN_SHARE": "nan"}, "a number from 0 to 1"),
        ({"SPOTS_ML_RETRAIN_MAX_AGE_DAYS": "inf"}, "a number from"),
        ({"SPOTS_ML_MATURITY_HOURS": "-1"}, "a number from 0 to 8,760"),
        ({"SPOTS_ML_MAX_FALLBACK_SHARE": "2"}, "a number from 0 to 1"),
        (
            {"SPOTS_ML_ROLLOUT_LONGEST_DAYS": "18"},
            "is 18, and until then nothing is known.*more than 18",
        ),
        ({"SPOTS_ML_ROLLOUT_WINDOW_DAYS": "90"}, "takes 90 days for a unit and 48 hours for its outcomes"),
        ({"SPOTS_ML_MATURITY_HOURS": "720"}, "720 hours for its outcomes; expected more than 74, or fewer"),
        ({"SPOTS_ML_EXPLORATION": "0.5"}, "a number from 0 to 0.2"),
        ({"SPOTS_ML_EXPORT_PAHT": "x"}, "unknown: SPOTS_ML_EXPORT_PAHT"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(environ, told):
    with pytest.raises(ConfigError, match=told):
        Settings.from_env(environ)


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        Settings.from_env({"SPOTS_ML_SOURCE": "x", "SPOTS_ML_SYNTHETIC_SEED": "-1", "SPOTS_ML_TYPO": "1"})

    assert all(word in str(caught.value) for word in ("SPOTS_ML_SOURCE", "SPOTS_ML_SYNTHETIC_SEED", "SPOTS_ML_TYPO"))


def test_the_example_file_explains_every_variable_and_holds_the_defaults():
    lines = (PROJECT_ROOT / ".env.example").read_text("utf-8").splitlines()
    example = dict(line.split("=", 1) for line in lines if re.match(r"SPOTS_ML_\w+=", line))

    assert Settings.from_env(example) == Settings()
    with pytest.raises(ConfigError) as caught:
        Settings.from_env({"SPOTS_ML_TYPO": "1"})
    assert set(example) == set(re.findall(r"SPOTS_ML_\w+", str(caught.value))) - {"SPOTS_ML_TYPO"}


SUPABASE = {
    "SPOTS_ML_STORE": "supabase",
    "SPOTS_ML_SUPABASE_URL": "https://project.supabase.co",
    "SPOTS_ML_SUPABASE_KEY": "sb_secret_1",
}


def test_who_keeps_interactions_in_supabase_learns_from_them_unless_told_otherwise():
    assert Settings.from_env(SUPABASE).source == "supabase"
    assert Settings.from_env(SUPABASE | {"SPOTS_ML_SOURCE": "synthetic"}).source == "synthetic"


def test_secrets_are_in_no_representation():
    settings = Settings.from_env(SUPABASE | {"SPOTS_ML_SUPABASE_DSN": "postgresql://reader:word@pooler/postgres"})

    assert "https://project.supabase.co" in repr(settings)
    assert "sb_secret_1" not in repr(settings)
    assert "word" not in repr(settings)


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """The process environment of somebody who has set nothing but what a test sets, in a checkout of its own."""
    for name in [name for name in os.environ if name.startswith("SPOTS_ML_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("spots_ml.settings.PROJECT_ROOT", tmp_path)
    monkeypatch.setenv("SPOTS_ML_DATA_DIR", "data")
    place = tmp_path / "data" / LOCAL_PROJECT_ENV
    place.parent.mkdir(parents=True)
    place.write_text("SPOTS_ML_SUPABASE_URL=http://127.0.0.1:54321\nSPOTS_ML_SUPABASE_KEY=sb_secret_local\n")
    return monkeypatch


def test_a_project_that_is_named_nowhere_is_the_local_one_while_it_runs(environment, tmp_path):
    environment.setenv("SPOTS_ML_STORE", "supabase")
    assert Settings.from_env().require_supabase() == ("http://127.0.0.1:54321", "sb_secret_local")

    (tmp_path / "data" / LOCAL_PROJECT_ENV).unlink()
    with pytest.raises(ConfigError, match="SPOTS_ML_SUPABASE_URL and SPOTS_ML_SUPABASE_KEY not set"):
        Settings.from_env()


def test_a_project_that_is_named_is_not_mixed_with_the_local_one(environment):
    environment.setenv("SPOTS_ML_STORE", "supabase")
    environment.setenv("SPOTS_ML_SUPABASE_URL", "https://project.supabase.co")
    with pytest.raises(ConfigError, match="SPOTS_ML_SUPABASE_KEY not set"):
        Settings.from_env()


def test_the_local_project_is_asked_by_nobody_who_uses_the_embedded_store(environment):
    assert Settings.from_env().supabase_url is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"SPOTS_ML_SOURCE=synthetic\nSPOTS_ML_STORE: embedded\n", "line 2"),
        (b"# fine\n\nSPOTS_ML_SOURCE\n", "line 3"),
        (b'SPOTS_ML_SOURCE="synthetic\n', "line 1"),
        (b"SPOTS_ML_SOURCE=\xff\n", "no UTF-8 text"),
    ],
)
@pytest.mark.usefixtures("environment")
def test_a_line_of_the_file_that_does_not_parse_is_an_error_with_its_number(tmp_path, text, line):
    (tmp_path / ".env").write_bytes(text)

    with pytest.raises(ConfigError, match=rf"\.env\b.*{line}"):
        Settings.from_env()


def test_drift_is_found_on_some_of_the_last_days():
    retrain = Settings.from_env({"SPOTS_ML_RETRAIN_DRIFT_DAYS": "2", "SPOTS_ML_RETRAIN_DRIFT_OF_DAYS": "5"}).retrain
    assert (retrain.drift_days, retrain.drift_of_days) == (2, 5)
    with pytest.raises(ConfigError, match="DRIFT_DAYS is 6; expected at most SPOTS_ML_RETRAIN_DRIFT_OF_DAYS, 5"):
        Settings.from_env({"SPOTS_ML_RETRAIN_DRIFT_DAYS": "6", "SPOTS_ML_RETRAIN_DRIFT_OF_DAYS": "5"})


def test_the_threshold_of_labels_adapts_within_two_bounds_or_not_at_all():
    assert Settings.from_env({}).retrain.least_labels is None
    bounds = {"SPOTS_ML_RETRAIN_LEAST_LABELS": "300", "SPOTS_ML_RETRAIN_MOST_LABELS": "4000"}
    retrain = Settings.from_env(bounds | {"SPOTS_ML_RETRAIN_GAIN": "0.02"}).retrain
    assert (retrain.least_labels, retrain.most_labels, retrain.worthwhile_gain) == (300, 4_000, 0.02)
    for wrong in ({"SPOTS_ML_RETRAIN_LEAST_LABELS": "300"}, bounds | {"SPOTS_ML_RETRAIN_MOST_LABELS": "299"}):
        with pytest.raises(ConfigError, match="expected both, the second at least as large, or neither"):
            Settings.from_env(wrong)
