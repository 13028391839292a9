from pathlib import Path

import pytest
import yaml

from spots_ml.errors import ConfigError
from spots_ml.training.config import TrainingConfig, load_profile

PROFILES = Path(__file__).resolve().parents[2] / "configs" / "training"


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_profile_loads(path: Path) -> None:
    assert load_profile(path).max_epochs >= 1


def test_the_default_profile_is_the_built_in_default_and_names_every_field() -> None:
    path = PROFILES / "default.yaml"
    assert load_profile(path) == TrainingConfig()
    assert list(yaml.safe_load(path.read_text())) == list(TrainingConfig.model_fields)


def test_the_recipe_has_the_digest_that_its_models_carry() -> None:
    assert TrainingConfig().digest() == "6a6c6a047ce2ae5cef3a0c376d19f47246dff32dcf25c56c33cbca62f6ef09d7"


def test_all_problems_of_a_profile_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("batchsize: 32\npatience: 0\nlearning_rate: fast\n")
    with pytest.raises(ConfigError) as caught:
        load_profile(path)
    for part in ("batchsize is unknown", "patience is 0", "learning_rate is 'fast'", "wrong.yaml"):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["- 1\n", "just text", "a: [", "max_epochs: .nan\n"])
def test_what_is_no_profile_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"wrong\.yaml"):
        load_profile(path)


def test_a_profile_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_profile(tmp_path / "nowhere.yaml")


def test_an_empty_profile_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing\n")
    assert load_profile(path) == TrainingConfig()


def test_every_field_says_what_it_means_and_changes_the_digest() -> None:
    default = TrainingConfig()
    for name, field in TrainingConfig.model_fields.items():
        assert field.description
        value = getattr(default, name)
        changed = default.changed({name: value + 1 if isinstance(value, int) else value / 2})
        assert changed.digest() != default.digest(), name
