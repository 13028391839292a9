"""Stores as an earlier program left them, in `earlier/`: what it wrote as SQL, what it was told by them then as JSON.

The program is the first that had decisions, performance and a Supabase store. Nothing in that folder is ever changed:
it was made by that program, and stands for the stores that are out there.
"""

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import psycopg

from spots_ml.local_supabase.postgres import running
from spots_ml.local_supabase.stack import PROJECT, project_running
from spots_ml.stores.supabase.migrations.account import MIGRATIONS_DIR, apply_migrations

FOLDER = Path(__file__).with_name("earlier")

MIGRATIONS_THEN = {
    "20261121090000_shared_rules.sql": "730f67454b744c821d4986b12c2c11382d88903467a57ce13fc655d05b5a1659",
    "20261121090100_training_data.sql": "63b7f34c95bf974d348023cc60ccaaefb433a762194f42da6f442d4cacb0eea2",
    "20261121090150_incoming_rows.sql": "3294b5e14c6adad32343beb7016bfd4567349482208a5ecb1e26a036da6e73ef",
    "20261121090160_imports.sql": "569d9674bcc33aa5784c5f5ecf4c43c564947d57fe508987f48cbdc0b6816716",
    "20261121090170_reading.sql": "244e2f8de1c83ddfa7b0e1c40de765e56634bb5144c9ecdf6e437fe14b7afec0",
    "20261121090200_ab_test_outcomes.sql": "79f63327966996b295267819f2f3d5b23bbf0baf93973afea93238d8f9c58342",
    "20261121090300_model_versions.sql": "ba989a0a82bee4c85bdb280c49891fde680012744b5f97d905c922edd9be8f19",
    "20261121090400_version_changes.sql": "57bbc7fce21f53717bf3a718614698a909f968181bfd5d560c993dab418a6e08",
    "20261121090500_decisions.sql": "1d1f823bcf3c3b19893f2863151741774efe26b4011db6f55e6597d3e2cb36b2",
    "20261121090600_performance.sql": "bd945871806c7f59d312d0108f56c44f33453d6288ecb1483288f7776b2e001c",
    "20261121090700_model_files.sql": "de12c647814b583972a75e580e8fd9124d0d35cc6cf91a57338022d8896c93f2",
    "20261121090800_phone_manifest.sql": "23506cc8e7ed3374b7ddf215420879a489431c8299645eef5f64214b5b194151",
}
"""The migrations of then by name, with the SHA-256 of each."""

STEPS_THEN = (
    "b144d871de0da866b440034ffaf3cf4eb1a89575b7b336420b52f853266a08c5",
    "f90195f2e6973d992688ba4c7e4746635fc23e14628fdced7b217a248d4ef1e0",
)
"""SHA-256 of each step of the embedded schema of then."""


def told_then(kind):
    """What the store told then, as `telling.told` puts it; `point` is a watermark from between its two imports."""
    return json.loads((FOLDER / f"{kind}.json").read_text(encoding="utf-8"))


def write_embedded(path):
    """Put the file of an embedded store as it was."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript((FOLDER / "embedded.sql").read_text(encoding="utf-8"))


@contextlib.contextmanager
def project_of_then(folder):
    """Make a project at the migrations of then, fill it, and start it with the program of today."""
    then = folder / "migrations"
    then.mkdir()
    for name in MIGRATIONS_THEN:
        shutil.copy(MIGRATIONS_DIR / name, then / name)
    with running(folder=folder / "postgres") as server:
        server.create_project(PROJECT)
        apply_migrations(server.url(PROJECT), then)
        with psycopg.connect(server.url(PROJECT), autocommit=True) as connection:
            connection.execute((FOLDER / "supabase.sql").read_text(encoding="utf-8"))
    with project_running(folder=folder) as project:
        yield project
