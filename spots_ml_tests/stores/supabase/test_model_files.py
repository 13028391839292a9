"""Files of versions in Storage: there before the row names them, back on a machine that has none."""

import multiprocessing
import os
import shutil
import signal

import numpy as np
import pytest

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError
from spots_ml.places import Places
from spots_ml.registry.published_files import published_files
from spots_ml.registry.registration import propose_version, register_version
from spots_ml.registry.serving import open_scorer
from spots_ml.registry.verification import verify_version
from spots_ml.scoring.served import MissingModel, ServedModel
from spots_ml.stores.supabase.registry.versions import SupabaseVersionStore
from spots_ml.stores.supabase.storage.bucket import Bucket
from spots_ml.stores.supabase.storage.model_files import BUCKET
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml.stores.supabase.transport.refusals import UnavailableError
from spots_ml.stores.supabase.transport.retries import RetryPolicy
from spots_ml_tests.registry.building import hours, make_manifest, onnx_bytes, register_network
from spots_ml_tests.stores.supabase import scripted_server as script
from spots_ml_tests.stores.supabase.relay import Relay

FORK = multiprocessing.get_context("fork")
MODEL = "calling_score"
VERSION = "v1.0-synthetic"


def opened(url, project, waits=None):
    connection = SupabaseConnection(url, project.keys.secret)
    sleep = (lambda _: None) if waits is None else waits.append
    return Calls(connection, random=np.random.default_rng(0), policy=RetryPolicy(attempts=3), sleep=sleep)


@pytest.fixture
def store(project):
    with opened(project.url, project) as calls:
        yield supabase_store(calls).versions


@pytest.fixture
def name(request, tmp_path):
    """Content that no other test has put into the bucket."""
    return f"{request.node.name} {tmp_path}"


def register(store, models_dir, name, version=VERSION, at=0, **changes):
    return register_version(
        store,
        models_dir,
        onnx=onnx_bytes(name),
        manifest=make_manifest(name, version, created_at=hours(at), **changes),
        now=hours(at),
        actor="test",
    )


def propose(store, models_dir, name):
    return propose_version(
        store, models_dir, model_type=MODEL, content_digest=digest_bytes(name.encode()), source_kind="synthetic"
    )


def paths(version):
    return f"{MODEL}/{version.sha256}.onnx", f"{MODEL}/{version.manifest_sha256}.json"


def remove(store, path):
    store._calls.execute_storage("remove a file", BUCKET, path, lambda bucket: bucket.remove([path]), repeat="keyed")


def columns(project):
    with project.server.connect(project.database) as connection:
        return connection.execute(
            "select file_path, size_bytes, client_runtime_floor from public.model_versions"
        ).fetchall()


def test_a_machine_without_any_file_scores_and_verifies(project, store, tmp_path):
    onnx = register_network(store, tmp_path / "trainer")
    row = store.get(MODEL, VERSION)
    scorer = open_scorer(store, tmp_path / "fresh")

    assert isinstance(scorer.calling_score, ServedModel)
    for file in ("model.onnx", "manifest.json"):
        here, there = (tmp_path / place / MODEL / VERSION / file for place in ("fresh", "trainer"))
        assert here.read_bytes() == there.read_bytes()
    assert columns(project) == [(paths(row)[0], len(onnx), "1.15.1")]

    another = Places(tmp_path / "another", tmp_path / "another")
    found = {check.name: check for check in verify_version(row, another, runtimes={}, store=store)}
    assert all(found[name].passed for name in ("model.onnx", "manifest.json", "registry row", "gates"))
    assert not found["trained model"].passed


def test_a_fresh_machine_registers_known_content_again(store, tmp_path, name):
    register(store, tmp_path / "trainer", name, metrics={"test_mse": 0.02})

    assert propose(store, tmp_path / "fresh", name) == VERSION
    again = register(store, tmp_path / "fresh", name, at=1, metrics={"test_mse": 0.02, "latency_p99_us": 7.0})

    assert not again.created
    assert (tmp_path / "fresh" / MODEL / VERSION / "model.onnx").read_bytes() == onnx_bytes(name)
    assert propose(store, tmp_path / "fresh", "something else") == "v1.1-synthetic"


@pytest.mark.parametrize("lost", [0, 1])
def test_registering_again_puts_back_what_the_bucket_lost(store, tmp_path, name, lost):
    row = register(store, tmp_path / "trainer", name).version
    remove(store, paths(row)[lost])
    with pytest.raises(ArtifactError, match="the store's copies do not help"):
        published_files(store, tmp_path / "fresh", row)

    register(store, tmp_path / "trainer", name, at=1)

    assert published_files(store, tmp_path / "fresh", row).onnx == onnx_bytes(name)


def test_a_damaged_copy_in_the_bucket_is_never_used(store, tmp_path):
    register_network(store, tmp_path / "trainer", seed=77)
    row = store.get(MODEL, VERSION)
    path = paths(row)[0]
    remove(store, path)
    Bucket(store._calls, BUCKET).put(path, b"other bytes", content_type="application/octet-stream")
    model = open_scorer(store, tmp_path / "fresh").calling_score

    assert isinstance(model, MissingModel)
    assert path in model.detail
    assert not (tmp_path / "fresh").exists()
    remove(store, path)


def test_files_that_are_not_those_of_the_version_are_not_uploaded(store, tmp_path, name):
    row = register(store, tmp_path / "trainer", name).version

    with pytest.raises(ArtifactError, match=r"model\.onnx has the digest"):
        store.keep_files(row, b"other", b"bytes")


@pytest.mark.parametrize("n_whole", range(4))
def test_an_upload_that_the_network_ends_is_never_referenced(project, store, tmp_path, monkeypatch, name, n_whole):
    """Calls to Storage are: ONNX file up, down again, manifest up, down again."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Relay(project.url) as relay, opened(relay.url, project) as calls:
        flaky = supabase_store(calls).versions
        relay.faults.extend([script.behave] * (n_calls_before_storage(flaky, relay) + n_whole))
        relay.faults.extend([script.applied_then_reset, *[script.reset_before_headers] * 2])
        with pytest.raises(UnavailableError, match="bucket models"):
            register(flaky, tmp_path / "trainer", name)

    assert store.list_versions() == ()
    assert register(store, tmp_path / "trainer", name).created
    assert published_files(store, tmp_path / "fresh", store.get(MODEL, VERSION)).onnx == onnx_bytes(name)


def n_calls_before_storage(store, relay):
    """How many calls `register_version` makes to an empty registry before it sends a file."""
    n_before = len(relay.requests)
    store.find_content(MODEL, "0" * 64)
    store.list_versions(MODEL)
    return len(relay.requests) - n_before


def killed_at_call(number, project, models_dir, name):
    """Register in this process, which is killed before the n-th call to Storage or to the registry's function."""
    n_calls = 0

    def dying(function):
        def wrapper(*args, **kwargs):
            nonlocal n_calls
            n_calls += 1
            if n_calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return wrapper

    Calls.execute_storage = dying(Calls.execute_storage)
    SupabaseVersionStore.register = dying(SupabaseVersionStore.register)
    with opened(project.url, project) as calls:
        register(supabase_store(calls).versions, models_dir, name)


@pytest.mark.parametrize("loses_its_folder", [False, True])
@pytest.mark.parametrize("step", range(1, 6))
def test_killed_anywhere_and_run_again_gives_exactly_one_version(
    project, store, tmp_path, name, step, loses_its_folder
):
    process = FORK.Process(target=killed_at_call, args=(step, project, tmp_path / "trainer", name))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert store.list_versions() == ()
    if loses_its_folder:
        shutil.rmtree(tmp_path / "trainer")

    proposed = propose(store, tmp_path / "trainer", name)
    row = register(store, tmp_path / "trainer", name, proposed, at=1).version

    assert (row.version, len(store.list_versions())) == (VERSION, 1)
    files = published_files(store, tmp_path / "fresh", row)
    assert (files.onnx, digest_bytes(files.manifest)) == (onnx_bytes(name), row.manifest_sha256)
