"""What promoting a version would change, measured again against what answers at that moment.

At registration it was measured beside what answered then (`registration_step`); other versions, weights and filters may
answer now. Whether it may be promoted at all is the registry's business.
"""

from spots_ml.errors import ArtifactError, GateError
from spots_ml.models.declared import ModelType
from spots_ml.pipeline.model_steps import rows_judged_on
from spots_ml.places import Places
from spots_ml.registry.gates.decision_gate import answering_now, decision_effect
from spots_ml.registry.serving import serve_model
from spots_ml.registry.version_store import ServableVersions
from spots_ml.release.onnx.predictor import UNHURRIED_S
from spots_ml.scoring.served import MissingModel
from spots_ml.training.trained_model import load_trained_model


def promotion_effect(places: Places, store: ServableVersions, model_type: ModelType, version: str) -> str:
    """Say what promoting a version would change, or refuse it.

    Args:
        places: Where models and datasets lie.
        store: The registry.
        model_type: Which model.
        version: The version that is to be promoted.

    Returns:
        A sentence about who would be called, beside what is called now.

    Raises:
        RegistryError: When there is no such version.
        GateError: When it would change the decision more than the bounds allow, or that cannot be measured here.
    """
    row = store.get(model_type, version)
    unmeasured = f"what promoting {model_type} {version} would change cannot be measured here"
    remedy = 'promote it where it was trained, or by `--force --reason "..."`'
    candidate = serve_model(store, places.models_dir, model_type, version=version, time_limit_s=UNHURRIED_S)
    if isinstance(candidate, MissingModel):
        raise GateError(f"{unmeasured}: {candidate.detail}; {remedy}")
    try:
        document = load_trained_model(places.trained_dir, row.content_digest).document
        rows = rows_judged_on(places, document)
    except ArtifactError as error:
        raise GateError(f"{unmeasured}: {error}; {remedy}") from error
    found = decision_effect(
        model_type,
        candidate,
        answering_now(store, places.models_dir),
        rows,
        weights=(row.weight,),
        n_resamples=document.config.n_resamples,
        seed=document.seed,
    )
    if not found.verdict.passed or found.filter_on != row.filter_on:
        raise GateError(
            f"promoting {model_type} {version} would change the decision more than the bounds allow: "
            f'{found.verdict.message}; train it again, or promote it by `--force --reason "..."`'
        )
    return found.verdict.message
