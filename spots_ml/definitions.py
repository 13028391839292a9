"""The code location that Dagster loads: everything over the settings of this environment."""

from spots_ml.defs.build import build_definitions
from spots_ml.defs.catalogue.unloaded import require_everything_loaded
from spots_ml.settings import Settings

require_everything_loaded()
defs = build_definitions(Settings.from_env())
