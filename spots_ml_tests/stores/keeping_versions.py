"""Versions as the tests of stores register and change them."""

from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import hours, make_candidate

MODEL = "calling_score"


def fill(store, *names):
    for number, name in enumerate(names):
        store.versions.register(make_candidate(name, f"v1.{number}-synthetic"), now=hours(number), actor="test")


def promote(store, number, at=10):
    return promote_blessed(store.versions, MODEL, f"v1.{number}-synthetic", now=hours(at), actor="ann", reason="better")


def rollback(store, at=20):
    return store.versions.rollback(MODEL, now=hours(at), actor="bob", reason="worse").version


def take_back(store, number, instead=None, at=22, reason="silent"):
    named = None if instead is None else f"v1.{instead}-synthetic"
    return store.versions.take_back(
        MODEL, f"v1.{number}-synthetic", instead=named, now=hours(at), actor="eli", reason=reason
    )


def withdraw(store, at=25):
    return store.versions.withdraw(MODEL, now=hours(at), actor="fay", reason="wrong")


def unarchive(store, number, at=35, reason="needed"):
    return store.versions.unarchive(MODEL, f"v1.{number}-synthetic", now=hours(at), actor="gus", reason=reason)


def archive(store, number, at=30):
    return store.versions.archive(MODEL, f"v1.{number}-synthetic", now=hours(at), actor="cem", reason="old")


def weigh(store, number, weight, at=40):
    return store.versions.set_weight(
        MODEL, f"v1.{number}-synthetic", weight, now=hours(at), actor="dee", reason="trusted"
    )
