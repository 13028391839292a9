"""An explanation as text: what a person reads from top to bottom, 120 columns wide at most."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from spots_ml.cli.tables import text_table
from spots_ml.features.contract import CONTEXT_FEATURES, TIMING_FEATURES, VIBE_DIMENSIONS
from spots_ml.models.declared import model_spec

if TYPE_CHECKING:
    from spots_ml.explaining.decision_explanation import DecisionSteps, Explanation, Value
    from spots_ml.explaining.model_explanation import Completeness, ModelExplanation

_WIDTH: Final = 118
_BAR: Final = 20


def explanation_text(explanation: "Explanation", *, top: int) -> str:
    """Lay out an explanation.

    Args:
        explanation: What is to be shown.
        top: How many inputs to list per model.

    Returns:
        Lines of at most 120 characters, but for ids and paths.
    """
    parts = [_heading(explanation), _record(explanation), _derived(explanation), _formula(explanation)]
    parts += [_model(number, model, top) for number, model in enumerate(explanation.models, start=len(parts))]
    return "\n\n".join([*parts, _decision(len(parts), explanation)])


def _heading(explanation: "Explanation") -> str:
    when = f"{explanation.scored_at:%Y-%m-%d %H:%M:%S} UTC" if explanation.scored_at else "an unknown moment (now)"
    return (
        f"REQUEST {explanation.position}: agent {explanation.agent_id or 'unknown'}, "
        f"opportunity {explanation.opportunity_id or 'unknown'}, at {when}\n"
        f"The agent is in the group {explanation.group}; the arm that decides is {explanation.arm}"
        f"{f' of {explanation.experiment}' if explanation.experiment else ''}."
    )


def _record(explanation: "Explanation") -> str:
    raw = {one.name: one for one in explanation.raw}
    vibes = text_table(
        ["dimension", "agent", "opportunity"],
        ([name, _told(raw[f"agent_{name}"]), _told(raw[f"opportunity_{name}"])] for name in VIBE_DIMENSIONS),
    )
    n_unknown = sum(one.value is None for one in explanation.raw)
    rest = text_table(
        ["feature", "value"], ([name, _told(raw[name])] for name in (*CONTEXT_FEATURES, *TIMING_FEATURES))
    )
    return f"1. RAW RECORD: {len(raw)} features, {n_unknown} unknown (fed as 0.5)\n\n{vibes}\n\n{rest}"


def _derived(explanation: "Explanation") -> str:
    derived = text_table(["derived", "value"], ([name, f"{value:.4f}"] for name, value in explanation.derived.items()))
    rows = [[one.name, _told(one), one.source] for one in (*explanation.history, *explanation.extras)]
    return f"2. COMPUTED AND SERVED\n\n{derived}\n\n{text_table(['history and extras', 'value', 'from'], rows)}"


def _formula(explanation: "Explanation") -> str:
    rows = [
        [part.name, f"{part.value:.4f}", f"{part.weight:.2f}", f"{part.contribution:.4f}"]
        for part in explanation.formula
    ]
    total = sum(part.contribution for part in explanation.formula)
    rows.append(["formula score", "", "", f"{total:.4f}"])
    clamped = explanation.decision.formula_score
    note = "" if abs(clamped - total) < 1e-9 else f"\nclamped to {clamped:.4f}"
    betterment = " + ".join(f"{part.weight:.2f} x {part.value:.4f} {part.name}" for part in explanation.life_betterment)
    return (
        f"3. FORMULA\n\n{text_table(['component', 'value', 'weight', 'contribution'], rows)}{note}\n\n"
        f"betterment = {betterment.replace('meaningful_', '').replace('_potential', '').replace('positive_', '')}"
    )


def _model(number: int, model: "ModelExplanation", top: int) -> str:
    answer = model_spec(model.model_type).answer.upper()
    lines = [f"{number}. {answer}: {model.model_type} {model.version or 'without a version'}", ""]
    if model.fallback:
        lines += _wrapped(f"the ONNX file does not answer: {model.fallback}")
    if model.torch_missing:
        lines += _wrapped(f"no torch column, the weights cannot be had: {model.torch_missing}")
    if not model.groups:
        return "\n".join(lines).rstrip()
    answers = [["answer", _number(model.torch_answer), _number(model.onnx_answer), _tiny(model.difference)]]
    answers.append(["at the training means", "", _number(model.baseline_answer), ""])
    rows = [
        [one.name, _signed(one.torch), _signed(one.onnx), _bar(one.onnx if one.torch is None else one.torch, model)]
        for one in model.groups
    ]
    lines += [text_table(["", "torch", "onnx", "difference"], answers), ""]
    lines += [text_table(["group adds", "torch (IG)", "onnx (Shapley)", ""], rows)]
    if all(one.torch is not None and one.onnx is not None for one in model.groups):
        lines.append("Two definitions that agree on the total, not on the parts: read the two sides' vibes together.")
    if model.inputs:
        ordered = sorted(model.inputs, key=lambda one: -abs(one.contribution))
        inputs = [
            [
                one.name,
                f"{one.value:.4f}",
                f"{one.baseline:.4f}",
                _signed(one.contribution),
                _bar(one.contribution, model),
            ]
            for one in ordered[:top]
        ]
        rest = sum(one.contribution for one in ordered[top:])
        if ordered[top:]:
            inputs.append([f"{len(ordered) - top} other inputs", "", "", _signed(rest), _bar(rest, model)])
        lines += ["", text_table(["input adds (torch, IG)", "value", "mean", "contribution", ""], inputs)]
    return "\n".join([*lines, "", *map(_check, model.checks)])


def _check(check: "Completeness") -> str:
    if check.passed is None:
        return f"not checked  {check.told}: one side is missing"
    verdict = "PASS" if check.passed else "FAIL"
    return f"{verdict:<11}  {check.told}: error {check.error:.1e}, at most {check.limit:.0e}"


def _decision(number: int, explanation: "Explanation") -> str:
    steps = explanation.decision
    lines = [f"hybrid score     {_blend(explanation)}"]
    told = f"P(positive) {steps.outcome_probability:.4f} by {steps.outcome_by}"
    if steps.blocked:
        lines += [
            f"outcome filter   {told} <= 0.70: not called",
            f"score            {steps.score:.4f}, the hybrid score",
        ]
    else:
        passed = f"{told} > 0.70: passes" if steps.filter_on else f"off: {told} blocks nothing and does not count"
        lines += [f"outcome filter   {passed}", f"score            {_boosted(steps)}"]
        sign = ">=" if steps.called else "<"
        lines.append(f"threshold        {steps.score:.4f} {sign} 0.70: {'called' if steps.called else 'not called'}")
    if steps.fallback:
        lines.append(f"FALLBACK         {steps.fallback}")
    lines.append(f"DECISION         {'CALLED' if steps.called else 'NOT CALLED'}")
    return f"{number}. DECISION\n\n" + "\n".join(lines)


def _blend(explanation: "Explanation") -> str:
    steps = explanation.decision
    if steps.neural_score is None:
        return f"{steps.hybrid_score:.4f}, the formula score: the model did not answer"
    sum_ = (
        f"(1 - {steps.weight:.4g}) x {steps.formula_score:.4f} + {steps.weight:.4g} x {steps.neural_score:.4f} "
        f"= {steps.hybrid_score:.4f}"
    )
    return sum_ if explanation.group == "hybrid" else f"{sum_} (weight 0: the group is {explanation.group})"


def _boosted(steps: "DecisionSteps") -> str:
    probability = steps.outcome_probability if steps.filter_on else 1.0
    product = steps.hybrid_score * probability * (1.0 + steps.trend_boost)
    capped = f", at most {steps.score:.4f}" if product > steps.score + 1e-9 else ""
    return (
        f"{steps.hybrid_score:.4f} {f'x {probability:.4f} ' if steps.filter_on else ''}x (1 + {steps.trend_boost:.4g}) "
        f"= {product:.4f}{capped}"
    )


def _told(value: "Value") -> str:
    return f"unknown -> {value.fed:.4g}" if value.value is None else f"{value.value:.4f}"


def _number(value: float | None) -> str:
    return "missing" if value is None else f"{value:.6f}"


def _tiny(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1e}"


def _signed(value: float | None) -> str:
    return "missing" if value is None else f"{value:+.4f}"


def _bar(value: float | None, model: "ModelExplanation") -> str:
    """A bar of + or -, as long as the largest of the model's contributions allows."""
    longest = max(_sizes(model), default=0.0)
    if value is None or longest == 0.0:
        return ""
    return ("+" if value > 0 else "-") * round(_BAR * min(1.0, abs(value) / longest))


def _sizes(model: "ModelExplanation") -> Iterable[float]:
    for group in model.groups:
        yield from (abs(one) for one in (group.torch, group.onnx) if one is not None)
    yield from (abs(one.contribution) for one in model.inputs)


def _wrapped(text: str) -> Sequence[str]:
    return [*textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False), ""]
