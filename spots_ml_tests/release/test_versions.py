import pytest
from hypothesis import given
from hypothesis import strategies as st

from spots_ml.errors import ConfigError
from spots_ml.release.manifest import SOURCE_KINDS, VersionName, next_version, parse_version

NUMBERS = st.integers(0, 999_999_999)


@given(major=NUMBERS, minor=NUMBERS, kind=st.sampled_from(SOURCE_KINDS))
def test_a_name_is_read_back_as_it_was_written(major, minor, kind):
    name = VersionName(major, minor, kind)

    assert parse_version(str(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        *("", "v1.0", "1.0-real", "v1.0-fake", "v01.0-real", "v1.00-real", "v1.0-real\n", " v1.0-real"),
        *("v1.0-real/..", "../v1.0-real", "V1.0-real", "v1.0-REAL", "v-1.0-real", "v1.\u0661-real"),
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ConfigError, match="is not a version name"):
        parse_version(text)


def test_the_first_version_is_1_0():
    assert next_version([], "synthetic") == "v1.0-synthetic"


def test_versions_count_up_over_all_kinds_and_by_number():
    assert next_version(["v1.9-real", "v1.10-hybrid", "v1.2-synthetic"], "synthetic") == "v1.11-synthetic"


def test_gaps_are_not_filled():
    assert next_version(["v1.0-real", "v1.5-real"], "real") == "v1.6-real"


def test_other_majors_do_not_count():
    assert next_version(["v0.7-real", "v2.3-real"], "real") == "v1.0-real"


def test_a_taken_name_that_is_none_is_not_ignored():
    with pytest.raises(ConfigError, match="latest"):
        next_version(["latest"], "real")
