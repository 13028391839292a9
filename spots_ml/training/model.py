"""From labelled rows to a trained, calibrated and judged model: fit, calibrate, compare and evaluate in one call."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from spots_ml.digests import digest_bytes
from spots_ml.errors import InsufficientDataError
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.interactions.kinds import SourceKind
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.splits import OVER_CAP, PARTS, PURGED, TEST, TRAIN, VALIDATION, split_sizes
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import Calibration
from spots_ml.scoring.confidence import ConfidenceProfile
from spots_ml.scoring.formula import formula_score
from spots_ml.training.baselines import baseline_predictions
from spots_ml.training.calibration import fit_calibration
from spots_ml.training.confidence import fit_confidence
from spots_ml.training.config import TrainingConfig
from spots_ml.training.evaluation import NETWORK, evaluate, judge_network
from spots_ml.training.fit import Epoch, Fit, fit
from spots_ml.training.network import ScoringNetwork
from spots_ml.training.trained_model import (
    TrainedDocument,
    TrainedModel,
    ignored_inputs,
    load_trained_model,
    predict,
    predict_logits,
    save_trained_model,
    split_digest,
    weights_content,
)
from spots_ml.training.warm.origin import FULL, START, WarmOrigin
from spots_ml.training.warm.provenance import WarmStart

__all__ = ["TrainedModel", "golden_inputs", "load_trained_model", "save_trained_model", "train_model"]

LEAST_CONFIDENCE_ROWS: Final = 700
"""Validation rows that a confidence profile needs: with 700 and more, weights by confidence were measured to cost less
than half a per cent of the error, with 225 more; a model of less data comes without a profile."""


def train_model(
    rows: LabelledRows,
    split: np.ndarray,
    model_type: ModelType,
    config: TrainingConfig,
    *,
    seed: int,
    dataset_digest: str,
    kind: SourceKind,
    origin: WarmOrigin | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    checkpoint_dir: Path | None = None,
) -> TrainedModel:
    """Train one model and judge it on the test rows; the same arguments give the same model, bit by bit.

    The training rows fit, the validation rows pick the epoch, calibrate and say how much an answer may weigh, where
    the model declares that, the test rows are looked at once.

    Args:
        rows: Labelled rows.
        split: `(n_rows,)` part of each row, as `interactions.learning.splits.split_rows` says it.
        model_type: Which model.
        config: The recipe.
        seed: Of training, bootstrap and golden inputs, 0 or more.
        dataset_digest: Identifies the rows.
        kind: Kind of interactions the rows are.
        origin: What to learn on from, whose learned rows are purged from `split` already; None: from the beginning.
        on_epoch: Called after each epoch.
        checkpoint_dir: Where to keep the state after each epoch; see `fit`.

    Returns:
        The model with its evaluation and verdict, whichever way the verdict went.

    Raises:
        InsufficientDataError: Before training, when a part has no rows or its labels do not vary.
    """
    _refuse_sameness(rows.target(model_type), split, model_type)
    training, validating = split == TRAIN, split == VALIDATION
    target = rows.target(model_type)
    learning = training if origin is None else origin.rows_to_learn(training, config.replay_share, seed)
    validation = (rows.inputs(model_type, validating), target[validating])

    def fitted_on(chosen: np.ndarray, recipe: TrainingConfig, start: ScoringNetwork | None) -> Fit:
        found = fit(
            (rows.inputs(model_type, chosen), target[chosen]),
            validation,
            recipe,
            model_type=model_type,
            seed=seed,
            start=start,
            on_epoch=on_epoch,
            checkpoint_dir=checkpoint_dir,
        )
        if model_spec(model_type).calibration is Calibration.PLATT:
            calibrate(found.network, validation[0], rows.positive[validating])
        return found

    fitted = (
        fitted_on(training, config, None)
        if origin is None
        else fitted_on(learning, config.after_warm_start, origin.model.network)
    )
    full = fitted_on(training, config, None) if origin is not None and config.compare_with_full else None
    network = fitted.network
    test = rows.take(split == TEST)
    answers = predict(network, test.inputs(model_type))
    evaluation = evaluate(
        model_type,
        test,
        {
            NETWORK: answers,
            **baseline_predictions(rows, training, test, model_type, seed=seed),
            **({} if origin is None else {START: origin.model.predict(test.inputs(model_type))}),
            **({} if full is None else {FULL: predict(full.network, test.inputs(model_type))}),
        },
        formula=formula_score(test.features).score,
        prevalence=float(target[training].mean(dtype=np.float64)),
        n_resamples=config.n_resamples,
        seed=seed,
    )
    golden = _golden_rows(test.inputs(model_type), config.n_golden_rows, seed)
    document = TrainedDocument(
        model_type=model_type,
        kind=kind,
        seed=seed,
        config=config,
        config_digest=config.digest(),
        dataset_digest=dataset_digest,
        contract_digest=CONTRACT_DIGEST,
        weights_digest=digest_bytes(weights_content(network, golden)),
        split_digest=split_digest(split),
        n_rows_by_split={name: int(np.sum(split == part)) for part, name in _named_parts()},
        split_sizes=split_sizes(split, rows.agent, config.split_rules),
        ignored_inputs=ignored_inputs(network),
        best_epoch=fitted.best_epoch,
        history=fitted.history,
        calibration_slope=float(network.calibration_slope),
        calibration_intercept=float(network.calibration_intercept),
        evaluation=evaluation,
        verdict=judge_network(evaluation, config),
        warm_start=None if origin is None else _provenance(origin, training, learning, fitted, full),
        confidence=_confidence(network, rows, split) if model_spec(model_type).has_confidence else None,
    )
    return TrainedModel(network, golden, document)


def _provenance(
    origin: WarmOrigin, training: np.ndarray, learning: np.ndarray, fitted: Fit, full: Fit | None
) -> WarmStart:
    return WarmStart.of(
        trained_digest=origin.model.digest,
        weights_digest=origin.model.document.weights_digest,
        learned=origin.learned,
        n_new_rows=int(np.sum(training & ~origin.seen)),
        n_replayed_rows=int(np.sum(learning & origin.seen)),
        n_row_passes=int(learning.sum()) * len(fitted.history),
        full_row_passes=None if full is None else int(training.sum()) * len(full.history),
    )


def golden_inputs(model: TrainedModel) -> np.ndarray:
    """Give the inputs that exports are compared on: rows of the test part, corners of the contract, and random ones.

    Args:
        model: A trained model, fresh or loaded.

    Returns:
        `(n_golden, n_inputs)` float32 in [0, 1]; the same for the same model.
    """
    return model.golden


def _named_parts() -> list[tuple[int, str]]:
    return [*enumerate(PARTS), (PURGED, "purged"), (OVER_CAP, "over_cap")]


def _refuse_sameness(target: np.ndarray, split: np.ndarray, model_type: ModelType) -> None:
    problems = []
    for part in (TRAIN, VALIDATION, TEST):
        values = target[split == part]
        if len(values) == 0:
            problems.append(f"{PARTS[part]} has no rows")
        elif values.min() == values.max():
            problems.append(f"{PARTS[part]} has {values[0]:g} in all {len(values):,} rows")
    if problems:
        raise InsufficientDataError(
            f"the label of the {model_type} model does not vary: {'; '.join(problems)}; expected different "
            "outcomes in every part of the split: collect more interactions"
        )


def calibrate(network: ScoringNetwork, inputs: np.ndarray, positive: np.ndarray) -> None:
    """Put a classifier's calibration into the network.

    Args:
        network: Uncalibrated; changed.
        inputs: `(n_rows, n_inputs)` float32, rows it was not fitted on.
        positive: `(n_rows,)` bool, their labels.
    """
    slope, intercept = fit_calibration(predict_logits(network, inputs), positive)
    network.calibration_slope.fill_(slope)
    network.calibration_intercept.fill_(intercept)


def _confidence(network: ScoringNetwork, rows: LabelledRows, split: np.ndarray) -> ConfidenceProfile | None:
    validation = rows.take(split == VALIDATION)
    if validation.n_rows < LEAST_CONFIDENCE_ROWS:
        return None
    return fit_confidence(
        rows.features[split == TRAIN],
        validation.features,
        formula=formula_score(validation.features).score,
        neural=predict(network, validation.features),
        outcome=validation.outcome_score,
        agent=validation.agent,
    )


def _golden_rows(inputs: np.ndarray, n_rows: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng([seed, 4])
    n_inputs = inputs.shape[1]
    real = inputs[generator.choice(len(inputs), min(n_rows // 2, len(inputs)), replace=False)]
    constant = np.repeat([[0.0], [0.5], [1.0]], n_inputs, axis=1)
    n_rest = n_rows - len(real) - len(constant)
    corners = generator.integers(0, 2, size=(n_rest // 2, n_inputs))
    anywhere = generator.random((n_rest - n_rest // 2, n_inputs))
    return np.concatenate([real, constant, corners, anywhere]).astype(np.float32)
