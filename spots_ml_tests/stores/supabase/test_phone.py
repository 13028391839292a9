"""What a phone gets over HTTP: the manifest, the files of the versions that are served, and nothing else."""

import hashlib
import json
import time

import httpx
import jwt
import numpy as np
import pytest

from spots_ml.experiments.serving import serving_challengers
from spots_ml.registry.phone_manifest import phone_manifest
from spots_ml.release.phone_manifest import PhoneManifest
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import hours, register_network
from spots_ml_tests.stores.keeping_rollouts import start

MODEL = "calling_score"
AGENT = "00000000-0000-4000-8000-00000000000a"


@pytest.fixture
def whole(project):
    with Calls(SupabaseConnection(project.url, project.keys.secret), random=np.random.default_rng(0)) as calls:
        yield supabase_store(calls)


@pytest.fixture
def store(whole):
    return whole.versions


@pytest.fixture
def served(store, tmp_path):
    """Three calling-score versions, the second active, and an outcome version in staging; their ONNX files by name."""
    files = {
        f"v1.{number}-synthetic": register_network(
            store, tmp_path / "models", version=f"v1.{number}-synthetic", seed=number, active=False
        )
        for number in range(3)
    }
    register_network(store, tmp_path / "models", "outcome", active=False)
    promote_blessed(store, MODEL, "v1.1-synthetic", now=hours(1), actor="test", reason="")
    return files


@pytest.fixture
def client(project):
    with httpx.Client(base_url=project.url, trust_env=False) as client:
        yield client


@pytest.fixture
def phone(project):
    """The headers of an app in which a user is signed in."""
    claims = {"role": "authenticated", "aud": "authenticated", "sub": AGENT, "exp": int(time.time()) + 600}
    token = jwt.encode(claims, project.keys.jwt_secret, algorithm="HS256")
    return {"apikey": project.keys.publishable, "Authorization": f"Bearer {token}"}


@pytest.fixture
def nobody(project):
    """The headers of an app in which nobody is signed in."""
    return {"apikey": project.keys.publishable}


def manifest(client, headers):
    response = client.post("/rest/v1/rpc/phone_manifest", headers=headers, json={})
    assert response.status_code == 200, response.text
    return PhoneManifest.from_bytes(json.dumps(response.json()).encode())


def test_a_phone_is_told_the_active_version_and_downloads_it(client, phone, store, served):
    told = manifest(client, phone)
    active, row = told.models[MODEL].active, store.get(MODEL, "v1.1-synthetic")
    content = client.get(active.url, headers=phone).content

    assert told == store.phone_manifest()
    assert content == served["v1.1-synthetic"]
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (active.sha256, active.size_bytes)
    assert (active.version, active.weight, active.traffic) == (row.version, row.weight, 1.0)
    assert (active.contract_digest, active.client_runtime_floor) == (row.contract_digest, "1.15.1")
    assert told.models[MODEL].rolling_out is None
    assert told.models["outcome"].active is None


def test_the_manifest_follows_the_registry(client, phone, store, served):
    promote_blessed(store, MODEL, "v1.2-synthetic", now=hours(2), actor="test", reason="")
    assert manifest(client, phone).models[MODEL].active.version == "v1.2-synthetic"

    store.rollback(MODEL, now=hours(3), actor="test", reason="")
    assert manifest(client, phone).models[MODEL].active.version == "v1.1-synthetic"


def test_a_version_being_rolled_out_is_told_with_its_share(client, phone, whole, served):
    start(whole, 2)
    rolling_out = manifest(client, phone).models[MODEL].rolling_out

    assert (rolling_out.version, rolling_out.traffic) == ("v1.2-synthetic", 0.1)
    assert client.get(rolling_out.url, headers=phone).content == served["v1.2-synthetic"]


class Unserved:
    """The registry of a store that serves no phones, with the versions of one that does."""

    def __init__(self, versions):
        self._versions = versions

    def phone_manifest(self):
        return None

    def __getattr__(self, name):
        return getattr(self._versions, name)


@pytest.mark.parametrize("changes", [{}, {"kind": "weight", "weight": 0.3}], ids=["version", "weight"])
def test_the_database_tells_what_the_program_would(whole, served, tmp_path, changes):
    start(whole, 1 if changes else 2, **changes)
    told = whole.versions.phone_manifest()
    challengers = serving_challengers(whole.rollouts.list_rollouts())
    built = phone_manifest(Unserved(whole.versions), tmp_path / "models", challengers=challengers)

    assert told.models[MODEL].rolling_out is not None
    assert without_urls(told) == without_urls(built)


def without_urls(document):
    told = document.model_dump()
    for model in told["models"].values():
        for version in filter(None, model.values()):
            del version["url"]
    return told


def test_a_phone_gets_no_file_of_a_version_that_is_not_served(client, phone, store, served):
    active = store.get(MODEL, "v1.1-synthetic")
    other = store.get(MODEL, "v1.0-synthetic")
    for path in (f"{MODEL}/{other.sha256}.onnx", f"{MODEL}/{active.manifest_sha256}.json"):
        response = client.get(f"/storage/v1/object/models/{path}", headers=phone)
        assert response.status_code in (400, 403, 404)
        assert len(response.content) < 300


def test_a_phone_sees_no_other_column_of_a_version(client, phone, served):
    def read(columns):
        return client.get("/rest/v1/model_versions", params={"select": columns}, headers=phone).json()

    assert read("version") == [{"version": "v1.1-synthetic"}]
    for columns in ("*", "metrics", "manifest_sha256", "watermark", "source"):
        assert read(columns)["code"] == "42501"


def test_a_phone_changes_no_version_and_no_file(client, phone, store, served):
    active = store.get(MODEL, "v1.1-synthetic")
    change = {"p_model_type": MODEL, "p_at": hours(2).isoformat(), "p_actor": "me", "p_reason": ""}
    refused = client.post("/rest/v1/rpc/rollback_model_version", headers=phone, json=change)
    for method, path in (("POST", "mine.onnx"), ("PUT", f"{MODEL}/{active.sha256}.onnx")):
        client.request(method, f"/storage/v1/object/models/{path}", headers=phone, content=b"mine")
    client.delete(f"/storage/v1/object/models/{MODEL}/{active.sha256}.onnx", headers=phone)

    assert refused.json()["code"] == "42501"
    assert store.get(MODEL, "v1.1-synthetic") == active
    assert store.fetch_files(active)[0] == served["v1.1-synthetic"]
    assert client.get("/storage/v1/object/models/mine.onnx", headers={"apikey": phone["apikey"]}).status_code != 200


def test_without_a_signed_in_user_there_is_nothing(client, nobody, store, served):
    url = store.phone_manifest().models[MODEL].active.url
    told = client.post("/rest/v1/rpc/phone_manifest", headers=nobody, json={})
    rows = client.get("/rest/v1/model_versions", params={"select": "version"}, headers=nobody)
    file = client.get(url, headers=nobody)

    assert [answer.json()["code"] for answer in (told, rows)] == ["42501", "42501"]
    assert file.status_code in (400, 401, 403, 404)
    assert len(file.content) < 300
