"""The rules of a calling score, as the app is to apply them: the reference for its code.

One function per rule, in the order in which the app applies them; every number comes from decision.json, which is the
argument `rules` everywhere. Numbers are 64-bit floats; only what a model is fed is rounded to 32 bits. None is unknown.
It needs nothing but Python's own library. `rules.mjs` says the same in JavaScript.
"""

import hashlib
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

Document = Mapping[str, Any]
MS_PER_DAY = 86_400_000


# --- 1. From a record to the inputs of the models -------------------------------------------------------------------


def float32(value: float) -> float:
    """Round to the nearest 32-bit float."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def raw_features(record: Document, rules: Document) -> dict[str, float | None]:
    """Read the 34 raw features; None is unknown."""
    return {
        feature: record[group][key]
        for group, features in rules["record_groups"].items()
        for key, feature in features.items()
    }


def agreement(mine: float | None, theirs: float | None) -> float | None:
    """Compare two sides: 1 - |difference|, unknown when either is."""
    return None if mine is None or theirs is None else 1.0 - abs(mine - theirs)


def mean_of_known(values: Sequence[float | None], if_none: float | None) -> float | None:
    """Average what is known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else if_none


def exploration_tendency(values: Mapping[str, float | None], side: str, rules: Document) -> float | None:
    """Average two dimensions of one side; unknown when either is."""
    parts = [values[f"{side}_{name}"] for name in rules["derivation"]["exploration_tendency"]]
    known = [part for part in parts if part is not None]
    return sum(known) / len(known) if len(known) == len(parts) else None


def exploration_agreement(values: Mapping[str, float | None], rules: Document) -> float | None:
    """Compare the exploration tendencies of both sides."""
    return agreement(exploration_tendency(values, "agent", rules), exploration_tendency(values, "opportunity", rules))


def vibe_compatibility(
    raw: Mapping[str, float | None], agreements: Mapping[str, float | None], rules: Document
) -> float | None:
    """Weigh four agreements; unknown ones are left out and the weights of the others scaled up."""
    weights = rules["derivation"]["vibe_compatibility"]
    parts = [
        (weights["dimensions"], mean_of_known(list(agreements.values()), None)),
        (weights["energy"], agreements["overall_energy"]),
        (weights["exploration"], exploration_agreement(raw, rules)),
        (weights["social"], agreements["social_preference"]),
    ]
    known = [(weight, value) for weight, value in parts if value is not None]
    if not known:
        return None
    total: float = sum(weight * value for weight, value in known) / sum(weight for weight, _ in known)
    return total


def model_inputs(record: Document, rules: Document) -> dict[str, float]:
    """Derive the 45 inputs by name: what is unknown is filled in last, then everything is rounded to 32 bits."""
    raw = raw_features(record, rules)
    agreements = {
        name: agreement(raw[f"agent_{name}"], raw[f"opportunity_{name}"]) for name in rules["derivation"]["dimensions"]
    }
    timing = rules["derivation"]["timing_alignment"]
    values = {
        **raw,
        **{match: agreements[dimension] for match, dimension in rules["derivation"]["matches"].items()},
        "vibe_compatibility": vibe_compatibility(raw, agreements, rules),
        "timing_alignment": mean_of_known([raw[name] for name in timing["mean_of_known"]], timing["if_none_known"]),
    }
    filled = {name: either(values[name], rules["unknown_value"]) for name in rules["inputs"]["calling_score"]}
    history = record.get("history_features") or {}
    for name, if_unknown in rules["history"]["if_unknown"].items():
        filled[name] = either(history.get(name), if_unknown)
    return {name: float32(filled[name]) for name in rules["inputs"]["outcome"]}


def milliseconds(moment: str) -> int:
    """Read a moment, ISO 8601 with an offset or Z, as milliseconds since 1970; what is finer is cut off."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (datetime.fromisoformat(moment.replace("Z", "+00:00")) - epoch) // timedelta(milliseconds=1)


def history_features(interactions: Sequence[Document], at: str, rules: Document) -> dict[str, float]:
    """Sum up what is known of one agent at a moment, from the agent's own interactions in any order.

    An interaction counts from the moment after it was scored, its outcome from the moment after it arrived.
    """
    caps, now = rules["history"], milliseconds(at)
    features = dict(caps["if_unknown"])
    scored = [milliseconds(one["timestamp"]) for one in interactions]
    earlier = [moment for moment in scored if moment < now]
    features["interaction_count"] = min(len(earlier) / caps["interaction_count_cap"], 1.0)
    if earlier:
        since = now - caps["activity_window_days"] * MS_PER_DAY
        n_recent = sum(moment >= since for moment in earlier)
        features["activity_level"] = min(n_recent / caps["activity_cap"], 1.0)
    past = [
        (max(milliseconds(one["outcome_timestamp"]), moment), one["outcome_type"], one["outcome_score"])
        for one, moment in zip(interactions, scored, strict=True)
        if one.get("outcome_type") is not None and one.get("outcome_timestamp") is not None
    ]
    past = [outcome for outcome in past if outcome[0] < now]
    if past:
        kinds = [kind for _, kind, _ in past]
        features["past_positive_rate"] = kinds.count("positive") / len(past)
        features["past_negative_rate"] = kinds.count("negative") / len(past)
        features["average_engagement"] = sum(score for _, _, score in past) / len(past)
        positive = [arrived for arrived, kind, _ in past if kind == "positive"]
        days = (now - max(positive)) / MS_PER_DAY if positive else None
        features["time_since_last_positive"] = (
            caps["time_since_last_positive_if_never_positive"]
            if days is None
            else min(days / caps["recency_cap_days"], 1.0)
        )
    return features


def either(value: float | None, if_unknown: float) -> float:
    """Fill in an unknown value."""
    return if_unknown if value is None else value


# --- 2. The formula -------------------------------------------------------------------------------------------------


def weighted(weights: Mapping[str, float], values: Mapping[str, float]) -> float:
    """Sum of weight x value."""
    return sum(weight * values[name] for name, weight in weights.items())


def product(shares: Document, inputs: Mapping[str, float]) -> float:
    """Multiply factors: (1 - share) + share x value for each share, and the values that count whole."""
    result = 1.0
    for name, share in shares["shares"].items():
        result *= (1.0 - share) + share * inputs[name]
    for name in shares["whole"]:
        result *= inputs[name]
    return result


def formula(inputs: Mapping[str, float], record: Document, rules: Document) -> dict[str, float]:
    """Score by the formula; every part of it, and the score itself under `score`."""
    weights = rules["formula"]
    unknown = rules["unknown_value"]
    social = 1.0 - abs(inputs["agent_social_preference"] - inputs["opportunity_social_preference"])
    liveliness = (inputs["opportunity_overall_energy"] + inputs["opportunity_social_preference"]) / 2.0
    exploration = exploration_agreement(inputs, rules)
    assert exploration is not None  # inputs have no unknown values
    parts = {"vibe_compatibility": inputs["vibe_compatibility"]}
    parts["meaningful_connection"] = weighted(weights["meaningful_connection"], {**inputs, "liveliness": liveliness})
    parts["fulfilment"] = weighted(
        weights["fulfilment"], {"energy": inputs["energy_match"], "exploration": exploration, "social": social}
    )
    given = {name: either(record.get(name), unknown) for name in ("trajectory_potential", "positive_influence")}
    parts["life_betterment"] = weighted(weights["life_betterment"], {**parts, **given})
    context = weights["context"]
    proximity = inputs["location_proximity"]
    distance = 1.0
    if proximity < context["far_below"]:
        distance = context["far_factor"]
    elif proximity > context["near_above"]:
        distance = context["near_factor"]
    parts["context"] = distance * product(context, inputs)
    parts["timing"] = product(weights["timing"], inputs)
    parts["score"] = min(max(weighted(weights["score"], parts), 0.0), 1.0)
    return parts


# --- 3. The decision ------------------------------------------------------------------------------------------------


def group(agent_id: str | None, rules: Document) -> str:
    """Tell an agent's group from the first byte of SHA-256 of its id in UTF-8."""
    groups = rules["groups"]
    if agent_id is None:
        return str(groups["unknown_agent"])
    byte = hashlib.new(groups["digest"], utf8(agent_id)).digest()[groups["byte"]]
    return str(groups["below"] if byte < groups["hybrid_below"] else groups["else"])


def utf8(text: str) -> bytes:
    """Encode an id; half of a surrogate pair, which is no text, becomes U+FFFD, as in JavaScript and Dart."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")


def place(agent_id: str, salt: str, rules: Document) -> float:
    """Place an agent in [0, 1): the first bits of a digest of salt and id, as a fraction.

    Raises:
        ValueError: When the salt is empty.
    """
    if not salt:
        raise ValueError("a rollout has no salt")
    how = rules["rollouts"]
    digest = hashlib.new(how["digest"], utf8(salt + how["between_salt_and_agent"] + agent_id)).digest()
    return float((int.from_bytes(digest[:8], "big") >> (64 - how["bits"])) / 2 ** how["bits"])


def assign(agent_id: str | None, models: Document, rules: Document) -> Document:
    """Tell which versions decide about an agent, with which weight and filter, and what is reported of it.

    `models` is that part of the phone's manifest. Each model that is rolled out draws for itself: an agent of the
    group is treated when its place by that model's salt is below its traffic, and then has that version and weight.
    """
    agents_group = group(agent_id, rules)
    drawn = agents_group == rules["groups"]["below"]
    found: Document = {"group": agents_group, "places": {}, "treated": {}, "versions": {}}
    answering, names, stages = {}, [], []
    for model_type in rules["rollouts"]["models_in_order"]:
        offer, where = models[model_type]["rolling_out"], None
        if offer is not None and offer.get("salt") is None:
            offer = None  # a manifest of the first layout did not say whom it is for: nobody
        if offer is not None and agent_id is not None:
            where = place(agent_id, offer["salt"], rules)
        treated = drawn and where is not None and where < offer["traffic"]
        answering[model_type] = offer if treated else models[model_type]["active"]
        found["places"][model_type] = where
        found["treated"][model_type] = treated
        found["versions"][model_type] = answering[model_type] and answering[model_type]["version"]
        if drawn and offer is not None:
            names.append(offer["experiment"])
            stages.append(str(offer["stage"]))
    neural, outcome = answering["calling_score"], answering["outcome"]
    return {
        **found,
        "weight": neural["weight"] if drawn and neural is not None else 0.0,
        "filter_on": outcome is not None and outcome["filter_on"],
        "experiment": rules["rollouts"]["between_names"].join(names) or None,
        "stage": int("".join(stages)) if stages else None,
    }


def outcome_rule(inputs: Mapping[str, float], rules: Document) -> float:
    """Stand in for the outcome model."""
    rule = rules["outcome_rule"]
    means = {
        name: sum(inputs[feature] for feature in rule[name]) / len(rule[name])
        for name in ("context_mean", "timing_mean")
    }
    return weighted(rule["weights"], {**inputs, **means})


def decide(
    formula_score: float,
    neural_score: float | None,
    weight: float,
    outcome_probability: float,
    trend_boost: float,
    rules: Document,
    *,
    filter_on: bool,
) -> dict[str, Any]:
    """Blend, filter, boost, compare; a neural score of None did not come, and weighs nothing.

    Where the filter is off (`models.outcome.filter_on` of decision.json), P(positive) blocks nothing and is not
    multiplied.
    """
    thresholds = rules["decision"]
    if neural_score is None:
        weight, neural_score = 0.0, 0.0
    hybrid_score = (1.0 - weight) * formula_score + weight * neural_score
    decision = {"weight": weight, "outcome_probability": outcome_probability, "hybrid_score": hybrid_score}
    if filter_on and not outcome_probability > thresholds["outcome_above"]:
        return {**decision, "blocked": True, "score": hybrid_score, "called": False}
    factor = outcome_probability if filter_on else 1.0
    score = min(hybrid_score * factor * (1.0 + trend_boost), 1.0)
    return {**decision, "blocked": False, "score": score, "called": score >= thresholds["called_from"]}
