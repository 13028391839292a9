"""Working in a database as the roles of Supabase's API do, and rows to work with."""

import contextlib
import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from spots_ml.local_supabase.postgres import ADMIN, Server
from spots_ml.stores.supabase.migrations.rights import READER

START = datetime(2026, 11, 21, 10, tzinfo=UTC)

AGENT_A = "00000000-0000-4000-8000-00000000000a"
AGENT_B = "00000000-0000-4000-8000-00000000000b"


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


@dataclass(frozen=True)
class Database:
    """One database of a server."""

    server: Server
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def connect(self, **options: Any) -> psycopg.Connection:
        return self.server.connect(self.name, row_factory=dict_row, **options)

    @contextlib.contextmanager
    def owner(self) -> Iterator[psycopg.Connection]:
        """Work as the role that owns the tables and ran the migrations."""
        with self.connect(autocommit=True) as connection:
            yield connection

    @contextlib.contextmanager
    def acting(self, role: str, agent: str | None = None, **claims: Any) -> Iterator[psycopg.Connection]:
        """Work as the API does for a request; every statement is a transaction of its own."""
        token = {"role": role, **({} if agent is None else {"sub": agent}), **claims}
        with self.connect(autocommit=True) as connection:
            connection.execute("select set_config('request.jwt.claims', %s, false)", (json.dumps(token),))
            connection.execute(f"set role {role}")
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[psycopg.Connection]:
        """Work as the role that reads in bulk, as if it had logged in."""
        with self.server.connect(self.name, ADMIN, row_factory=dict_row, autocommit=True) as connection:
            connection.execute(f"set session authorization {READER}")
            yield connection

    def service(self) -> contextlib.AbstractContextManager[psycopg.Connection]:
        return self.acting("service_role")


def insert(connection: psycopg.Connection, table: str, **values: Any) -> None:
    columns = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join(["%s"] * len(values))
    connection.execute(f"insert into public.{table} ({columns}) values ({marks})", [*map(_adapted, values.values())])


def interaction(agent: str = AGENT_A, opportunity: str = "spot-1", at: float = 0, **changes: Any) -> dict[str, Any]:
    """An interaction as the app sends it."""
    return {
        "agent_id": agent,
        "opportunity_id": opportunity,
        "user_vibe_dimensions": {"novelty_seeking": 0.7},
        "spot_vibe_dimensions": {"novelty_seeking": 0.6},
        "context_features": {"location_proximity": 0.9},
        "timing_features": {"timing_alignment": 0.5},
        "formula_calling_score": 0.75,
        "formula_is_called": True,
        "formula_breakdown": {"vibe_compatibility": 0.9},
        "timestamp": hours(at),
        "metadata": {"app": "3.1"},
    } | changes


def outcome(score: float = 0.8, kind: str = "positive", at: float = 5) -> dict[str, Any]:
    return {"outcome_type": kind, "outcome_score": score, "outcome_timestamp": hours(at)}


def ab_outcome(agent: str = AGENT_A, opportunity: str = "spot-1", at: float = 0, **changes: Any) -> dict[str, Any]:
    """A row of the A/B comparison as the app sends it."""
    return {
        "agent_id": agent,
        "opportunity_id": opportunity,
        "test_group": "hybrid",
        "calling_score": 0.8,
        "is_called": True,
        "outcome_type": None,
        "outcome_score": None,
        "timestamp": hours(at),
    } | changes


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def content(name: str = "a", version: str = "v1.0-synthetic", model_type: str = "calling_score") -> dict[str, Any]:
    """What a version is, of a model whose content is told by `name`."""
    return {
        "model_type": model_type,
        "version": version,
        "content_digest": digest(f"{model_type} {name}"),
        "sha256": digest(f"{name}.onnx"),
        "manifest_sha256": digest(f"{name}.json"),
        "contract_digest": digest("contract"),
        "dataset_digest": digest("dataset"),
        "source_kind": version.split("-")[1],
        "source": "made up",
        "n_labelled": 10_000,
        "metrics": {"test_mse": 0.0224},
    }


def model_file(sent: dict[str, Any]) -> dict[str, Any]:
    """What registering this content tells of its file."""
    return {
        "p_file_path": f"{sent['model_type']}/{sent['sha256']}.onnx",
        "p_size_bytes": 61_440,
        "p_client_runtime_floor": "1.15.1",
    }


def decision(name: str = "1", agent: str = AGENT_A, opportunity: str = "spot-1", at: float = 0, **changes: Any) -> dict:
    return {
        "decision_id": f"decision-{name}",
        "origin": "served",
        "agent_id": agent,
        "opportunity_id": opportunity,
        "decided_at": hours(at).isoformat(),
        "agent_group": "hybrid",
        "version": "v1.0-synthetic",
        "outcome_version": None,
        "weight": 0.1,
        "formula_score": 0.75,
        "neural_score": 0.1 + 0.2,
        "outcome_probability": 0.8,
        "score": 0.6,
        "called": False,
        "blocked": False,
        "explored": False,
        "propensity": 1.0,
        "feature_digest": digest("features"),
        "past_positive_rate": 0.1,
        "past_negative_rate": 0.3,
        "average_engagement": 0.5,
        "interaction_count": 0.01,
        "time_since_last_positive": 0.5,
        "activity_level": 0.5,
        "watermark": "3/4",
        "fallback": None,
    } | changes


def call(connection: psycopg.Connection, function: str, **values: Any) -> dict[str, Any]:
    """Call a function of the API by the names of its arguments; the answer is its row."""
    arguments = ", ".join(f"{name} => %s" for name in values)
    row = connection.execute(f"select * from public.{function}({arguments})", [*map(_adapted, values.values())])
    answer: dict[str, Any] = row.fetchone()
    return answer


def bless(connection: psycopg.Connection, model_type: str, version: str, **changes: Any) -> dict[str, Any]:
    """Bless a version beside what is active now, without comparing anything; a refusal is for who asks to look at."""
    active = connection.execute(
        "select version from public.model_versions where model_type = %s and status = 'active'", (model_type,)
    ).fetchone()
    values = {
        "model_type": model_type,
        "version": version,
        "champion": None if active is None else active["version"],
        "passed": True,
        "sentence": "better by 0.1",
        "comparison": {},
    } | changes
    return call(
        connection,
        "bless_model_version",
        p_document=json.dumps(values),
        p_at=START,
        p_actor="test",
        p_request_id=uuid.uuid4(),
    )


def _adapted(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict | list) else value
