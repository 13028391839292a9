"""Which source interactions are read from: the one place where the setting is turned into a stream."""

from spots_ml.defs.resources import Platform
from spots_ml.errors import ConfigError
from spots_ml.interactions.kinds import Source
from spots_ml.interactions.source import InteractionStream


def open_source(platform: Platform, source: Source) -> InteractionStream:
    """Open the configured source of interactions.

    Args:
        platform: Where things are kept.
        source: Which source; `export` reads the file that the settings name. A store must be the configured one.

    Returns:
        The interactions, read as they are asked for.

    Raises:
        ConfigError: When the export's path is not set, or the source is a store that is not configured.
        InputError: When the source cannot be read as what it claims to be.
    """
    settings = platform.settings
    if source == "synthetic":
        from spots_ml.interactions.generators.seed_law import SeedLaw

        return SeedLaw().generate(settings.synthetic_rows, seed=settings.synthetic_seed)
    if source == "export":
        from spots_ml.interactions.reading.export import read_export

        return read_export(settings.require_export_path())
    if source != settings.store:
        raise ConfigError(
            f"the source {source!r} is not the store that is configured ({settings.store!r}); "
            f"set SPOTS_ML_STORE={source}, or choose the source {settings.store!r}"
        )
    store = platform.store()
    return store.read_interactions(up_to=store.label_watermark())
