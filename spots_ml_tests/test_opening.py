"""Which store the settings mean."""

import pytest

from spots_ml.errors import ConfigError
from spots_ml.opening import open_store, open_supabase
from spots_ml.settings import Settings
from spots_ml.stores.embedded.registry.versions import EmbeddedVersionStore
from spots_ml.stores.supabase.registry.versions import SupabaseVersionStore

SUPABASE = {"supabase_url": "https://project.supabase.co", "supabase_key": "sb_secret_1"}


def test_the_configured_store_is_opened_unless_another_one_is_asked_for(tmp_path):
    embedded, supabase = (
        Settings(data_dir=tmp_path, **SUPABASE),
        Settings(data_dir=tmp_path, store="supabase", **SUPABASE),
    )

    assert isinstance(open_store(embedded).versions, EmbeddedVersionStore)
    assert isinstance(open_store(supabase).versions, SupabaseVersionStore)
    assert isinstance(open_store(supabase, "embedded").versions, EmbeddedVersionStore)
    assert isinstance(open_store(embedded, "supabase").versions, SupabaseVersionStore)


def test_a_project_that_is_not_known_is_told_before_anything_is_asked():
    with pytest.raises(
        ConfigError, match=r"SPOTS_ML_SUPABASE_URL and SPOTS_ML_SUPABASE_KEY not set.*make dev-supabase"
    ):
        open_supabase(Settings())


def test_an_address_that_would_send_the_key_in_the_clear_is_refused():
    with pytest.raises(ConfigError, match="use https"):
        open_supabase(Settings(supabase_url="http://project.supabase.co", supabase_key="sb_secret_1"))
