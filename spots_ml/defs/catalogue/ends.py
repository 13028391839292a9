"""The ends of the lineage, which nobody here makes: what the app writes, and what a phone reads."""

from typing import Final

import dagster as dg

from spots_ml.defs.assets.keys import APP_TABLE, OWNERS, model_key
from spots_ml.models.declared import declared_types
from spots_ml.models.spec import Audience

APP_GROUP: Final = "app"
PHONE_GROUP: Final = "phone"
"""A group of its own: with the app's table in one, the lineage of groups would run in a circle."""
PHONE: Final = dg.AssetKey(["app", "phone"])


def ends() -> list[dg.AssetSpec]:
    """Declare what lies outside.

    Returns:
        The app's table, and the phone that gets the versions made for it.
    """
    return [
        dg.AssetSpec(
            APP_TABLE,
            group_name=APP_GROUP,
            kinds={"postgres"},
            owners=OWNERS,
            description=(
                "The table in which the app keeps what it called people to and what came of it. Read directly where "
                "Supabase is the store; exported or imported otherwise."
            ),
        ),
        dg.AssetSpec(
            PHONE,
            deps=[model_key(model_type, "registered_version") for model_type in declared_types(Audience.PHONE)],
            group_name=PHONE_GROUP,
            kinds={"flutter", "onnx"},
            owners=OWNERS,
            description=(
                "The app on a phone. It asks which version of each model to use, gets the file, checks its SHA-256 and "
                "scores with it; `spots-ml phone-manifest` shows what it is told."
            ),
        ),
    ]
