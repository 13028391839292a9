import contextlib
import fcntl
import multiprocessing
import os
import signal

import pytest

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError, GateError, RegistryError
from spots_ml.registry import registration
from spots_ml.registry.published_files import version_directory
from spots_ml.registry.registration import propose_version, register_version
from spots_ml.stores.embedded.database import Database
from spots_ml.stores.embedded.registry.versions import EmbeddedVersionStore
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.building import all_verdicts, hours, make_manifest, onnx_bytes

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def store(tmp_path):
    return embedded_store(tmp_path / "registry.sqlite").versions


def register(store, tmp_path, name="first", version="v1.0-synthetic", at=0, **changes):
    return register_version(
        store,
        tmp_path / "models",
        onnx=onnx_bytes(name),
        manifest=make_manifest(name, version, created_at=hours(at), **changes),
        now=hours(at),
        actor="test",
    )


def propose(store, tmp_path, name):
    return propose_version(
        store,
        tmp_path / "models",
        model_type="calling_score",
        content_digest=digest_bytes(name.encode()),
        source_kind="synthetic",
    )


def test_a_version_is_published_under_its_name_and_starts_in_staging(store, tmp_path):
    result = register(store, tmp_path)

    directory = tmp_path / "models" / "calling_score" / "v1.0-synthetic"
    assert result.created
    assert (result.version.status, result.version.weight) == ("staging", 0.1)
    assert (directory / "model.onnx").read_bytes() == onnx_bytes("first")
    assert digest_bytes((directory / "manifest.json").read_bytes()) == result.version.manifest_sha256


def test_the_same_content_again_is_the_same_version(store, tmp_path):
    first = register(store, tmp_path)
    again = register(store, tmp_path, at=5, watermark="7/9")

    assert not again.created
    assert again.version.version == first.version.version
    assert again.version.created_at == hours(0)
    assert again.version.last_registered_at == hours(5)
    assert again.version.watermark == "7/9"
    assert len(store.list_versions()) == 1
    assert [entry.action for entry in store.history()] == ["registered", "reaffirmed"]


def test_names_count_up_over_all_kinds_of_data(store, tmp_path):
    register(store, tmp_path, "first", propose(store, tmp_path, "first"))

    assert propose(store, tmp_path, "first") == "v1.0-synthetic"
    assert propose(store, tmp_path, "second") == "v1.1-synthetic"


def test_a_name_that_other_content_got_meanwhile_is_refused(store, tmp_path):
    register(store, tmp_path, "first")

    with pytest.raises(RegistryError, match="materialise onnx_model again"):
        register(store, tmp_path, "second")
    assert (tmp_path / "models/calling_score/v1.0-synthetic/model.onnx").read_bytes() == onnx_bytes("first")


def test_nothing_is_written_for_a_version_that_a_gate_refuses(store, tmp_path):
    with pytest.raises(GateError):
        register(store, tmp_path, verdicts=all_verdicts()[1:])

    assert not (tmp_path / "models").exists()
    assert store.list_versions() == ()


def test_a_file_that_is_not_what_the_manifest_says_is_refused(store, tmp_path):
    with pytest.raises(ArtifactError, match="the ONNX file has digest"):
        register_version(
            store, tmp_path / "models", onnx=b"other", manifest=make_manifest(), now=hours(0), actor="test"
        )
    assert store.list_versions() == ()


def test_registering_again_over_damaged_files_is_refused_by_name(store, tmp_path):
    register(store, tmp_path)
    (tmp_path / "models/calling_score/v1.0-synthetic/model.onnx").write_bytes(b"flipped")

    with pytest.raises(ArtifactError, match="damaged"):
        register(store, tmp_path, at=1)


def test_files_of_another_registry_are_never_touched(store, tmp_path):
    register(store, tmp_path, "first")
    other = embedded_store(tmp_path / "other.sqlite").versions

    assert propose(other, tmp_path, "first") == "v1.0-synthetic"
    assert propose(other, tmp_path, "second") == "v1.1-synthetic"
    with pytest.raises(RegistryError):
        register(other, tmp_path, "second", "v1.0-synthetic")
    register(other, tmp_path, "second", "v1.1-synthetic")

    assert version_directory(tmp_path / "models", "calling_score", "v1.1-synthetic").is_dir()
    assert (tmp_path / "models/calling_score/v1.0-synthetic/model.onnx").read_bytes() == onnx_bytes("first")


def of_another_build():
    """The same trained model in a file of its own, as another release of the exporter would write it."""
    onnx = onnx_bytes("built otherwise")
    return make_manifest("first", onnx=onnx).to_bytes(), onnx


def of_another_model():
    return make_manifest("other").to_bytes(), onnx_bytes("other")


def of_another_model_in_the_same_file():
    return make_manifest("other", onnx=onnx_bytes("first")).to_bytes(), onnx_bytes("first")


def of_another_name():
    return make_manifest("first", "v1.7-synthetic").to_bytes(), onnx_bytes("first")


def of_the_other_kind():
    return make_manifest("first", model_type="outcome").to_bytes(), onnx_bytes("first")


def of_a_damaged_file():
    return make_manifest("first").to_bytes(), onnx_bytes("flipped")


def of_notes():
    return b"notes of somebody", b"a drawing"


@pytest.mark.parametrize(
    "foreign",
    [
        of_another_build,
        of_another_model,
        of_another_model_in_the_same_file,
        of_another_name,
        of_the_other_kind,
        of_a_damaged_file,
        of_notes,
    ],
)
def test_a_name_that_is_taken_by_foreign_files_is_refused_and_they_stay(store, tmp_path, foreign):
    directory = version_directory(tmp_path / "models", "calling_score", "v1.0-synthetic")
    directory.mkdir(parents=True)
    content = dict(zip(("manifest.json", "model.onnx"), foreign(), strict=True))
    for name, text in content.items():
        (directory / name).write_bytes(text)

    with pytest.raises(RegistryError, match=r"unregistered files in .*materialise onnx_model again"):
        register(store, tmp_path)
    assert store.list_versions() == ()
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == content


@pytest.mark.parametrize("files", [{}, {"model.onnx": b"a part"}, {"notes.txt": b"mine"}])
def test_a_folder_that_holds_no_whole_version_keeps_its_name_and_its_files(store, tmp_path, files):
    directory = version_directory(tmp_path / "models", "calling_score", "v1.0-synthetic")
    directory.mkdir(parents=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)

    assert propose(store, tmp_path, "first") == "v1.1-synthetic"
    with pytest.raises(RegistryError, match="unregistered files"):
        register(store, tmp_path)
    register(store, tmp_path, version="v1.1-synthetic")
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == files


class WatchingStore(EmbeddedVersionStore):
    """A registry that looks, while it is being written to, whether anybody could lock the same thing."""

    def __init__(self, path, locks):
        super().__init__(Database(path))
        self.locks, self.free = locks, []

    def keep_files(self, content, onnx, manifest):
        for lock in self.locks:
            with lock.open("ab") as stream, contextlib.suppress(BlockingIOError):
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                self.free.append(lock.name)


def test_while_a_version_is_registered_nobody_else_may_register_one_of_its_model(tmp_path):
    locks = [tmp_path / f".models-{model_type}.lock" for model_type in ("calling_score", "outcome")]
    store = WatchingStore(tmp_path / "registry.sqlite", locks)
    register(store, tmp_path)

    assert store.free == [".models-outcome.lock"]


def killed_at_call(number, store, tmp_path):
    """Register in this process and kill it at the n-th step that touches disk or store."""
    calls = 0

    def die_at(function):
        def wrapper(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return wrapper

    os.fsync = die_at(os.fsync)
    os.rename = die_at(os.rename)
    registration.publish_files = die_at(registration.publish_files)
    EmbeddedVersionStore.register = die_at(EmbeddedVersionStore.register)
    register(store, tmp_path)


@pytest.mark.parametrize("step", range(1, 8))
def test_killed_anywhere_and_run_again_gives_exactly_one_version(store, tmp_path, step):
    process = FORK.Process(target=killed_at_call, args=(step, store, tmp_path))
    process.start()
    process.join()
    assert process.exitcode in (-signal.SIGKILL, 0)

    name = propose(store, tmp_path, "first")
    result = register(store, tmp_path, version=name, at=1, metrics={"test_mse": 0.0224, "latency_p99_us": step})

    directory = tmp_path / "models" / "calling_score" / "v1.0-synthetic"
    assert [one.version for one in store.list_versions()] == ["v1.0-synthetic"]
    assert digest_bytes((directory / "manifest.json").read_bytes()) == result.version.manifest_sha256


def test_killed_with_other_content_next_time_goes_on_under_the_next_name(store, tmp_path):
    process = FORK.Process(target=killed_before_the_row, args=(store, tmp_path))
    process.start()
    process.join()

    assert store.list_versions() == ()
    name = propose(store, tmp_path, "second")
    register(store, tmp_path, "second", name)

    assert [one.version for one in store.list_versions()] == ["v1.1-synthetic"]


def killed_before_the_row(store, tmp_path):
    EmbeddedVersionStore.register = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
    register(store, tmp_path)


def test_several_processes_registering_the_same_content_give_one_version(store, tmp_path):
    processes = [FORK.Process(target=register, args=(store, tmp_path)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 6
    assert len(store.list_versions()) == 1
    assert sorted(entry.action for entry in store.history()) == ["reaffirmed"] * 5 + ["registered"]
