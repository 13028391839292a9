"""The peers: the same rules, row by row. Imports nothing of the project.

`score_records` is what one writes first: records are dictionaries of named numbers, sessions have default options.
`score_lists` is the same loop tuned by hand: rows are lists in contract order, positions stand for names.
"""

from hashlib import sha256

import numpy as np

DIMENSIONS = [
    "exploration_eagerness",
    "community_orientation",
    "location_adventurousness",
    "authenticity_preference",
    "trust_network_reliance",
    "temporal_flexibility",
    "energy_preference",
    "novelty_seeking",
    "value_orientation",
    "crowd_tolerance",
    "social_preference",
    "overall_energy",
]
CONTEXT = [
    "location_proximity",
    "journey_alignment",
    "user_receptivity",
    "opportunity_availability",
    "network_effects",
    "community_patterns",
]
TIMING = ["optimal_time_of_day", "optimal_day_of_week", "user_patterns", "opportunity_timing"]
RAW = [*(f"agent_{d}" for d in DIMENSIONS), *(f"opportunity_{d}" for d in DIMENSIONS), *CONTEXT, *TIMING]
MATCHES = ["vibe_compatibility", "energy_match", "community_match", "novelty_match"]
FEATURES = [*RAW[:30], *MATCHES, *TIMING, "timing_alignment"]
HISTORY = [
    "past_positive_rate",
    "past_negative_rate",
    "average_engagement",
    "interaction_count",
    "time_since_last_positive",
    "activity_level",
]
NEAR_ABOVE = float(np.float32(0.8))


def agreements(r):
    """One number for each dimension, and for the exploration tendency."""
    agreement = {d: 1 - abs(r[f"agent_{d}"] - r[f"opportunity_{d}"]) for d in DIMENSIONS}
    mine = (r["agent_exploration_eagerness"] + r["agent_novelty_seeking"]) / 2
    theirs = (r["opportunity_exploration_eagerness"] + r["opportunity_novelty_seeking"]) / 2
    return agreement, 1 - abs(mine - theirs)


def formula(r, agreement, exploration):
    """The calling score of one record with its parts."""
    social = agreement["social_preference"]
    compatibility = r["vibe_compatibility"]
    liveliness = (r["opportunity_overall_energy"] + r["opportunity_social_preference"]) / 2
    connection = 0.4 * compatibility + 0.25 * r["network_effects"] + 0.2 * r["community_patterns"] + 0.15 * liveliness
    fulfilment = 0.4 * r["energy_match"] + 0.35 * exploration + 0.25 * social
    betterment = 0.4 * 0.5 + 0.3 * connection + 0.2 * 0.5 + 0.1 * fulfilment
    near = 0.9 if r["location_proximity"] < 0.5 else 1.1 if r["location_proximity"] > NEAR_ABOVE else 1.0
    context = (
        near
        * (0.8 + 0.2 * r["journey_alignment"])
        * (0.7 + 0.3 * r["user_receptivity"])
        * r["opportunity_availability"]
    )
    timing = (
        (0.8 + 0.2 * r["optimal_time_of_day"])
        * (0.8 + 0.2 * r["optimal_day_of_week"])
        * (0.7 + 0.3 * r["user_patterns"])
        * r["opportunity_timing"]
    )
    score = 0.4 * compatibility + 0.3 * betterment + 0.15 * connection + 0.1 * context + 0.05 * timing
    return {
        "score": min(max(score, 0.0), 1.0),
        "vibe_compatibility": compatibility,
        "life_betterment": betterment,
        "meaningful_connection": connection,
        "fulfilment": fulfilment,
        "context": context,
        "timing": timing,
    }


def score_records(records, calling_score, outcome, weight):
    """Score records one after another.

    Args:
        records: Dictionaries with the 34 raw and 6 history features by name, and `agent_id`.
        calling_score: An open session.
        outcome: An open session.
        weight: Of the neural score, for agents of the hybrid group.

    Returns:
        A dictionary per record.

    Raises:
        ValueError: When a feature is outside [0, 1].
    """
    scored = []
    for record in records:
        for name in (*RAW, *HISTORY):
            if not 0.0 <= record[name] <= 1.0:
                raise ValueError(f"{name} is {record[name]}, expected a number in [0, 1]")
        agreement, exploration = agreements(record)
        compatibility = (
            0.5 * sum(agreement.values()) / len(agreement)
            + 0.2 * agreement["overall_energy"]
            + 0.15 * exploration
            + 0.15 * agreement["social_preference"]
        )
        row = {
            **record,
            "vibe_compatibility": compatibility,
            "energy_match": agreement["overall_energy"],
            "community_match": agreement["community_orientation"],
            "novelty_match": agreement["novelty_seeking"],
            "timing_alignment": sum(record[name] for name in TIMING) / len(TIMING),
        }
        by_formula = formula(row, agreement, exploration)
        features = np.array([[row[name] for name in FEATURES]], dtype=np.float32)
        neural = float(calling_score.run(["output"], {"input": features})[0][0, 0])
        inputs = np.array([[row[name] for name in (*FEATURES, *HISTORY)]], dtype=np.float32)
        probability = float(outcome.run(["output"], {"input": inputs})[0][0, 0])
        scored.append(decision(by_formula, neural, probability, record["agent_id"], weight))
    return scored


def score_lists(raw, history, agent_ids, calling_score, outcome, weight):
    """Score rows one after another, tuned by hand.

    Args:
        raw: Lists of 34 floats: agent, opportunity, context, timing.
        history: Lists of 6 floats.
        agent_ids: Texts.
        calling_score: An open session.
        outcome: An open session.
        weight: Of the neural score, for agents of the hybrid group.

    Returns:
        A dictionary per row.

    Raises:
        ValueError: When a feature is outside [0, 1].
    """
    eager, community, novelty, social, energy = 0, 1, 7, 10, 11
    scored = []
    for row, past, agent_id in zip(raw, history, agent_ids, strict=True):
        if min(row) < 0.0 or max(row) > 1.0 or min(past) < 0.0 or max(past) > 1.0:
            raise ValueError(f"a feature of {agent_id} is outside [0, 1]")
        a, o = row[:12], row[12:24]
        near, journey, receptive, available, network, patterns, day, week, user, timely = row[24:]
        match = [1 - abs(x - y) for x, y in zip(a, o, strict=True)]
        exploring = 1 - abs((a[eager] + a[novelty]) / 2 - (o[eager] + o[novelty]) / 2)
        compatibility = 0.5 * sum(match) / 12 + 0.2 * match[energy] + 0.15 * exploring + 0.15 * match[social]
        connection = 0.4 * compatibility + 0.25 * network + 0.2 * patterns + 0.15 * (o[energy] + o[social]) / 2
        fulfilment = 0.4 * match[energy] + 0.35 * exploring + 0.25 * match[social]
        betterment = 0.4 * 0.5 + 0.3 * connection + 0.2 * 0.5 + 0.1 * fulfilment
        factor = 0.9 if near < 0.5 else 1.1 if near > NEAR_ABOVE else 1.0
        context = factor * (0.8 + 0.2 * journey) * (0.7 + 0.3 * receptive) * available
        timing = (0.8 + 0.2 * day) * (0.8 + 0.2 * week) * (0.7 + 0.3 * user) * timely
        score = 0.4 * compatibility + 0.3 * betterment + 0.15 * connection + 0.1 * context + 0.05 * timing
        matched = [compatibility, match[energy], match[community], match[novelty]]
        features = [*row[:30], *matched, day, week, user, timely, (day + week + user + timely) / 4]
        neural = float(calling_score.run(["output"], {"input": np.array([features], dtype=np.float32)})[0][0, 0])
        inputs = np.array([features + past], dtype=np.float32)
        probability = float(outcome.run(["output"], {"input": inputs})[0][0, 0])
        scored.append(decision({"score": min(max(score, 0.0), 1.0)}, neural, probability, agent_id, weight))
    return scored


def decision(by_formula, neural, probability, agent_id, weight):
    """Blend, filter, decide."""
    hybrid = sha256(agent_id.encode()).digest()[0] < 128
    w = weight if hybrid else 0.0
    score = (1 - w) * by_formula["score"] + w * neural
    called = False
    if probability > 0.7:
        score = min(score * probability, 1.0)
        called = score >= 0.7
    return {
        "formula": by_formula,
        "neural_score": neural,
        "outcome_probability": probability,
        "score": score,
        "called": called,
        "group": "hybrid" if hybrid else "formulaBased",
    }
