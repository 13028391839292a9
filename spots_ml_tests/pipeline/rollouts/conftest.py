"""Salts of rollouts that are the same at every run: who is treated, and with it what is found, is no chance then."""

import random

import pytest

from spots_ml.pipeline.rollouts import starting


@pytest.fixture(autouse=True)
def _same_salts(monkeypatch):
    numbers = random.Random(7)
    monkeypatch.setattr(starting, "new_salt", lambda: f"{numbers.getrandbits(128):032x}")
