"""Interactions as the pipeline reads them: numbers in the order of the contract, and seen by nobody else."""

import psycopg
import pytest

from spots_ml.features.contract import FEATURES
from spots_ml.interactions.reading.record_layout import DERIVED_KEYS, FEATURE_GROUPS
from spots_ml_tests.database.roles import AGENT_A, call, insert, interaction

TABLE = "calling_score_training_data"
KEYS = {group: {**keys, **{key: key for key in DERIVED_KEYS[group]}} for group, keys in FEATURE_GROUPS.items()}
"""Group -> key -> feature, the derived ones among them."""


def features_of(connection, opportunity="spot-1"):
    call(connection, "label_watermark")
    row = connection.execute(
        "select features, record from public.interactions where opportunity_id = %s", (opportunity,)
    ).fetchone()
    assert (row["features"] is None) == (row["record"] is not None)
    return row["features"]


def test_features_stand_in_the_order_of_the_contract(database):
    numbers = {name: (index + 1) / 64 for index, name in enumerate(FEATURES)}
    groups = {group: {key: numbers[name] for key, name in keys.items()} for group, keys in KEYS.items()}
    with database.service() as service:
        insert(service, TABLE, **interaction(**groups))
        assert features_of(service) == [numbers[name] for name in FEATURES]


def test_an_absent_key_and_a_null_are_unknown_values_and_noise_is_passed_over(database):
    with database.service() as service:
        insert(
            service,
            TABLE,
            **interaction(
                user_vibe_dimensions={"exploration_eagerness": 0.25, "overall_energy": None},
                spot_vibe_dimensions={},
                context_features={"context_feature_7": "noise"},
                timing_features={"timing_feature_5": [1], "timing_alignment": 1},
            ),
        )
        assert features_of(service) == [0.25, *[None] * 37, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {"user_vibe_dimensions": {"surprise": 1}},
        {"spot_vibe_dimensions": {"overall_energy": "0.5"}},
        {"context_features": {"energy_match": True}},
        {"context_features": {"context_feature_6": 0.5}},
        {"timing_features": {"user_patterns": [0.5]}},
        {"timing_features": {"user_patterns": {"value": 0.5}}},
        {"timing_features": {"user_patterns": 10**400}},
        {"timing_features": {"user_patterns": 5e-324}},
        {"context_features": None},
    ],
)
def test_what_is_not_as_the_contract_says_comes_as_a_record(database, changes):
    with database.service() as service:
        insert(service, TABLE, **interaction(**changes))
        assert features_of(service) is None


def test_features_follow_a_correction(database):
    with database.service() as service:
        insert(service, TABLE, **interaction(user_vibe_dimensions={"overall_energy": "high"}))
        service.execute(f"""update public.{TABLE} set user_vibe_dimensions = '{{"overall_energy": 0.5}}'""")
        assert features_of(service)[FEATURES.index("agent_overall_energy")] == 0.5


def test_an_agent_writes_rows_without_saying_and_without_forging_their_features(database):
    with database.acting("authenticated", AGENT_A) as agent:
        insert(agent, TABLE, **interaction())
        with pytest.raises(psycopg.errors.GeneratedAlways):
            insert(agent, TABLE, **interaction(opportunity="spot-2", features="{0.5}"))
    with database.service() as service:
        assert features_of(service) is not None


@pytest.mark.parametrize("role", ["anon", "authenticated"])
@pytest.mark.parametrize(
    "statement",
    [
        "select * from public.interactions",
        "select public.interaction_kinds(1)",
        f"select private.interaction_record(rows, true) from public.{TABLE} as rows",
    ],
)
def test_nobody_but_the_service_reads_interactions(shared, role, statement):
    with shared.acting(role, AGENT_A) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_the_view_shows_nobody_more_than_the_table_does(database):
    with database.service() as service:
        insert(service, TABLE, **interaction())
    with database.owner() as owner:
        call(owner, "label_watermark")
        owner.execute("grant select on public.interactions, public.training_arrivals to authenticated")
    with database.acting("authenticated", "00000000-0000-4000-8000-00000000000b") as other:
        assert other.execute("select count(*) as n from public.interactions").fetchone()["n"] == 0


def test_kinds_are_those_of_the_rows_up_to_a_point(database):
    with database.service() as service:
        for number, kind in enumerate(("synthetic", "synthetic", "real")):
            insert(service, TABLE, **interaction(opportunity=f"spot-{number}", source_kind=kind))
        call(service, "label_watermark")
        told = [call(service, "interaction_kinds", p_rows=rows)["interaction_kinds"] for rows in (0, 1, 2, 3)]

    assert told == [[], ["synthetic"], ["synthetic"], ["synthetic", "real"]]
