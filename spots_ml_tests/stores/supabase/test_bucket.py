import hashlib

import pytest

from spots_ml.errors import ArtifactError
from spots_ml.stores.supabase.storage.bucket import Bucket
from spots_ml.stores.supabase.transport.refusals import (
    AccessError,
    ConflictError,
    MissingFileError,
    MissingNameError,
    RequestRefusedError,
    UnavailableError,
)
from spots_ml_tests.stores.supabase import scripted_server as script

PATH = "outcome/model.onnx"
CONTENT = bytes(range(256)) * 40 + b"\r\n--\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()

LOSSES = [
    script.reset_before_headers,
    script.reset_after_headers,
    script.closed_without_answer,
    script.body_cut,
    script.refuse(500),
    script.refuse(503, {"statusCode": "503", "error": "SlowDown", "message": "slow down"}),
    script.refuse(400, {"statusCode": "423", "error": "ResourceLocked", "message": "The resource is locked"}),
    script.refuse(400, {"statusCode": "544", "error": "DatabaseTimeout", "message": "timed out"}),
    script.refuse(429),
    script.refuse(524, b"<html>A timeout occurred</html>"),
]


@pytest.fixture
def bucket(calls):
    return Bucket(calls, "models")


def put(bucket, content=CONTENT):
    bucket.put(PATH, content, content_type="application/octet-stream")


def test_what_was_put_is_there_and_comes_back(server, bucket):
    assert not bucket.exists(PATH)
    put(bucket)

    assert server.files == {PATH: CONTENT}
    assert bucket.exists(PATH)
    assert bucket.get(PATH, sha256=SHA256) == CONTENT


def test_an_empty_file_is_a_file(bucket):
    put(bucket, b"")

    assert bucket.get(PATH, sha256=hashlib.sha256(b"").hexdigest()) == b""


def test_the_same_bytes_again_are_as_good(server, bucket):
    put(bucket)
    put(bucket)

    assert server.files == {PATH: CONTENT}


def test_other_bytes_under_the_name_are_an_error_and_stay(server, bucket):
    server.files[PATH] = CONTENT[:100]

    with pytest.raises(ArtifactError, match=r"what lay there already has 100 bytes .* expected 10,245 bytes") as caught:
        put(bucket)

    assert f"bucket models, file {PATH}" in str(caught.value) and "remove that file" in str(caught.value)
    assert server.files == {PATH: CONTENT[:100]}


@pytest.mark.parametrize("fault", [script.applied_then_reset, script.body_cut_unnoticed, *LOSSES])
def test_an_upload_whose_answer_is_lost_is_made_again(server, bucket, waits, fault):
    server.faults.append(fault)

    put(bucket)

    assert server.files == {PATH: CONTENT}
    assert server.methods() == ["POST", "POST", "GET"] and len(waits) == 1


@pytest.mark.parametrize("fault", [script.body_cut_unnoticed, *LOSSES])
def test_a_download_that_breaks_is_made_again(server, bucket, fault):
    server.files[PATH] = CONTENT
    server.faults.append(fault)

    assert bucket.get(PATH, sha256=SHA256) == CONTENT
    assert server.methods() == ["GET", "GET"]


@pytest.mark.parametrize("fault", [script.applied_then_reset, script.refuse(503)])
def test_an_upload_that_never_succeeds_says_what_and_where(server, bucket, fault):
    server.faults.extend([fault] * 4)

    told = r"could not upload a file \(bucket models, file outcome/model.onnx at 127.*sent 4 times"
    with pytest.raises(UnavailableError, match=told) as caught:
        put(bucket)

    assert caught.value.may_have_applied


def test_what_does_not_come_back_as_it_was_sent_is_an_error(server, bucket):
    server.faults.extend([script.behave, script.refuse(200, CONTENT[:-1]), script.refuse(200, CONTENT[:-1])])

    with pytest.raises(ArtifactError, match="what was sent has 10,244 bytes"):
        put(bucket)


@pytest.mark.parametrize("stored", [CONTENT[:-1], CONTENT[:-1] + b"!", b"", b"<html>sign in</html>"])
def test_a_damaged_file_is_an_error(server, bucket, stored):
    server.files[PATH] = stored

    with pytest.raises(ArtifactError, match=f"is damaged: {len(stored):,} bytes came with the digest"):
        bucket.get(PATH, sha256=SHA256)

    assert server.methods() == ["GET", "GET"]


def test_a_missing_file_is_an_artifact_that_is_missing(server, bucket, waits):
    with pytest.raises(MissingFileError, match="the bucket holds no such file") as caught:
        bucket.get(PATH, sha256=SHA256)

    assert isinstance(caught.value, ArtifactError)
    assert len(server.requests) == 1 and waits == []


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (
            404,
            {"statusCode": 404, "error": "x", "code": "NoSuchKey", "message": "no"},
            MissingFileError,
            "no such file",
        ),
        (400, script.refusal_of_storage(404, "Bucket not found", "Bucket not found"), MissingNameError, "migrations"),
        (404, {"code": "NoSuchBucket", "message": "The bucket does not exist"}, MissingNameError, "no such bucket"),
        (404, b"<html>Not found</html>", MissingNameError, "no Storage at this address"),
        (401, {"message": "Invalid API key"}, AccessError, "key is not accepted"),
        (
            400,
            script.refusal_of_storage(403, "Unauthorized", "Invalid Compact JWS"),
            AccessError,
            "key is not accepted",
        ),
        (400, {"statusCode": "400", "error": "InvalidJWT", "message": "jwt expired"}, AccessError, "key has expired"),
        (400, script.refusal_of_storage(403, "Unauthorized", "row-level security"), AccessError, "service role's key"),
        (400, script.refusal_of_storage(409, "Duplicate", "The resource already exists"), ConflictError, "that name"),
        (400, script.refusal_of_storage(413, "Payload too large", "too large"), RequestRefusedError, "file_size_limit"),
        (413, b"<html>too large</html>", RequestRefusedError, "file_size_limit"),
        (400, script.refusal_of_storage(415, "invalid_mime_type", "no"), RequestRefusedError, "allowed_mime_types"),
        (400, script.refusal_of_storage(400, "InvalidKey", "Invalid key"), RequestRefusedError, "correct the values"),
        (302, b"", RequestRefusedError, "redirects are not followed"),
    ],
)
def test_a_refusal_says_what_where_and_what_to_do_and_is_not_repeated(server, bucket, waits, status, body, kind, told):
    server.faults.append(script.refuse(status, body))

    with pytest.raises(kind, match=told) as caught:
        bucket.get(PATH, sha256=SHA256)

    assert f"could not download a file (bucket models, file {PATH} at 127.0.0.1" in str(caught.value)
    assert len(server.requests) == 1 and waits == []


@pytest.mark.parametrize("fault", [script.refuse(404), script.refuse(401), script.refuse(400)])
def test_only_a_bucket_that_says_so_holds_no_such_file(server, bucket, fault):
    server.faults.append(fault)

    with pytest.raises((AccessError, MissingNameError, RequestRefusedError)):
        bucket.exists(PATH)


@pytest.mark.parametrize("status", [402, 540])
def test_a_project_that_is_paused_is_told_as_such(server, bucket, waits, status):
    server.faults.append(script.refuse(status))

    with pytest.raises(UnavailableError, match="paused or restricted"):
        bucket.exists(PATH)

    assert waits == []


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "../a", "a/./b", "a/..", "a%2Fb", "a b", "ä"])
def test_a_path_that_a_server_may_read_otherwise_is_refused(server, bucket, path):
    for use in (lambda: bucket.exists(path), lambda: bucket.get(path, sha256=SHA256)):
        with pytest.raises(ValueError, match="is no path in a bucket"):
            use()
    assert server.requests == []
