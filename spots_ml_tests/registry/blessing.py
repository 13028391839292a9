"""Versions that are blessed, and given traffic or promoted then, for every test that needs one that answers."""

from datetime import UTC, datetime

from spots_ml.registry.blessings import Blessing

WHEN = datetime(2026, 11, 21, 10, tzinfo=UTC)


def blessing(version="v1.0-synthetic", champion=None, model_type="calling_score", **changes):
    values = {"passed": True, "sentence": "better by 0.1", "comparison": {"lead": 0.1, "n": 1.0}}
    return Blessing(model_type=model_type, version=version, champion=champion, **(values | changes))


def champion_of(versions, model_type):
    return next((one.version for one in versions.list_versions(model_type) if one.status == "active"), None)


def bless(versions, model_type, version, *, now=WHEN, **changes):
    """Bless a version beside what is active now, without comparing anything."""
    found = blessing(version, champion_of(versions, model_type), model_type, **changes)
    return versions.bless(found, now=now, actor="a test")


def bless_if_possible(versions, model_type, version):
    status = {one.version: one.status for one in versions.list_versions(model_type)}.get(version)
    if status in ("staging", "deprecated"):
        bless(versions, model_type, version)


def promote_blessed(versions, model_type, version, **by):
    """Promote a version that was blessed before; where it cannot be blessed, it is for the registry to say no."""
    bless_if_possible(versions, model_type, version)
    return versions.promote(model_type, version, **by)
