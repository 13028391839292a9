"""Duplicates: what counts as the same interaction, and which of several stays."""

F = "user_vibe_dimensions__novelty_seeking"
NOBODY = {"agent_id": ..., "opportunity_id": ..., "timestamp": ..., "outcome_timestamp": ...}


def reasons(build, write_export, records) -> tuple[int, dict[str, int]]:
    report = build(write_export(records), max_broken_share=1.0)
    return report.n_accepted, report.reasons


def test_agent_opportunity_and_time_make_the_identity(make_record, write_export, build) -> None:
    same = make_record(0, **{F: 0.123})
    assert reasons(build, write_export, [make_record(0), same]) == (1, {"duplicate": 1})
    for key, value in (("agent_id", "x"), ("opportunity_id", "x"), ("timestamp", "2026-04-01T00:00:00Z")):
        other = make_record(0, **{key: value})
        assert reasons(build, write_export, [make_record(0), other]) == (2, {})


def test_the_same_instant_in_another_zone_is_the_same_interaction(make_record, write_export, build) -> None:
    records = [make_record(0, timestamp=time) for time in ("2026-05-01T10:00:00Z", "2026-05-01T12:00:00+02:00")]
    assert reasons(build, write_export, records) == (1, {"duplicate": 1})


def test_without_identity_everything_must_be_equal(make_record, write_export, build) -> None:
    first = make_record(0, **NOBODY)
    assert reasons(build, write_export, [first, first]) == (1, {"duplicate": 1})
    others = [
        make_record(0, **NOBODY, **{F: 0.123}),
        make_record(0, **NOBODY, **{F: None}),
        make_record(0, **NOBODY, outcome_score=0.51),
        make_record(0, **NOBODY, is_called=False),
        make_record(0, **{**NOBODY, "agent_id": "someone"}),
    ]
    assert reasons(build, write_export, [first, *others]) == (6, {})


def test_values_that_swap_places_are_not_the_same(make_record, write_export, build) -> None:
    one = {F: 0.2, "user_vibe_dimensions__value_orientation": 0.7}
    two = {F: 0.7, "user_vibe_dimensions__value_orientation": 0.2}
    records = [make_record(0, **NOBODY, **each) for each in (one, two)]
    assert reasons(build, write_export, records) == (2, {})


def test_a_broken_record_does_not_displace_a_good_one(make_record, write_export, build) -> None:
    broken = make_record(0, **{F: 7.0})
    assert reasons(build, write_export, [broken, make_record(0)]) == (1, {"out_of_range": 1})


def test_every_repetition_but_the_first_is_set_aside(make_record, write_export, build) -> None:
    records = [make_record(number % 3) for number in range(10)]
    assert reasons(build, write_export, records) == (3, {"duplicate": 7})
