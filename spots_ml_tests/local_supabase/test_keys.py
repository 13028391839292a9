"""The keys of a local project."""

import pytest

from spots_ml.local_supabase.errors import LocalStackError
from spots_ml.local_supabase.keys import Keys


def test_kept_keys_stay_the_same_and_are_for_the_owner_alone(tmp_path):
    path = tmp_path / "folder" / "keys.json"

    keys = Keys.kept_in(path)

    assert Keys.kept_in(path) == keys != Keys.new()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "[1]", '{"secret": "abc"}'])
def test_a_file_without_keys_is_said(tmp_path, content):
    (tmp_path / "keys.json").write_text(content)

    with pytest.raises(LocalStackError, match=r"keys.json holds no keys; remove it"):
        Keys.kept_in(tmp_path / "keys.json")


def test_keys_are_in_no_representation_and_can_be_taken_out_of_a_text():
    keys = Keys.new()

    assert repr(keys) == "Keys()"
    assert keys.hidden_in(f"{keys.publishable} {keys.secret} {keys.jwt_secret}") == "(key) (key) (key)"
