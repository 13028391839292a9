"""Rows, versions and runs to be found by sensors, made cheaply but kept in the real stores and a real instance."""

import dataclasses
from datetime import UTC, datetime, timedelta

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from spots_ml.defs.build import build_definitions
from spots_ml.defs.resources import Platform
from spots_ml.defs.sensors import retraining_sensor
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.source import InteractionStream
from spots_ml_tests.pipeline.chosen_data import with_outcome_scores
from spots_ml_tests.registry.building import make_candidate

INTERACTIONS = pa.Table.from_batches(SeedLaw().generate(3_000, seed=7).batches)
"""Labelled interactions in the order of time, to be imported slice by slice."""


ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("spots_ml"), "__repository__"), "calling_score_training"
)
"""What Dagster notes on a run that it launched itself, and needs to launch it again."""


class Clock:
    """Tells the time that a test says, starting at the real one."""

    def __init__(self):
        self.moment = datetime.now(UTC)

    def __call__(self):
        return self.moment

    def advance(self, **duration):
        self.moment += timedelta(**duration)


@dataclasses.dataclass
class Runs:
    """A Dagster instance in which runs of our jobs come to be without being executed."""

    instance: dg.DagsterInstance
    definitions: dg.Definitions
    model_type: str = "calling_score"

    def run(self, job, status=dg.DagsterRunStatus.STARTED, *, tags=None, config=None, assets=None, **more):
        """Create a run in some state."""
        definition = self.definitions.resolve_implicit_global_asset_job_def() if job is None else self.job(job)
        if assets is not None:
            definition = definition.get_subset(asset_selection=assets)
        return self.instance.create_run_for_job(
            definition, status=status, tags=tags, run_config=config, asset_selection=assets, **more
        )

    def job(self, name):
        return self.definitions.resolve_job_def(name)


class World(Runs):
    """The same over a platform with stores of its own, seen through one model's sensor."""

    def __init__(self, instance, settings, clock):
        self.settings = settings
        self.clock = clock
        self.platform = Platform(settings, now=clock)
        super().__init__(instance, build_definitions(settings, platform=self.platform))
        self.store = self.platform.store()
        self.n_imported = 0

    def tick(self, model_type=None):
        """One evaluation of the sensor, as the daemon does it."""
        sensor = retraining_sensor(model_type or self.model_type, self.settings.store)
        with dg.build_sensor_context(
            instance=self.instance,
            resources={"platform": self.platform},
        ) as context:
            return sensor.evaluate_tick(context)

    def labels_arrive(self, number):
        """Import that many more labelled interactions."""
        rows = INTERACTIONS.slice(self.n_imported, number)
        self.n_imported += number
        stream = InteractionStream("real", iter(rows.to_batches()), description="a test", watermark=None)
        report = self.store.interactions.import_interactions(stream, now=self.clock())
        assert report.n_new_labels == number

    def labels_are_corrected(self, number, *, first=0):
        """Import other outcomes, of a later time, for interactions that are labelled already."""
        rows = INTERACTIONS.slice(first, number)
        known = rows["outcome_score"].to_numpy()
        scores = np.where(known < 0.5, known + 0.3, known - 0.3)
        rows = with_outcome_scores(rows, scores)
        later = pc.add(rows["outcome_at"], pa.scalar(timedelta(hours=1), pa.duration("us")))
        index = rows.schema.get_field_index("outcome_at")
        rows = rows.set_column(index, rows.schema.field(index), later.cast(rows.schema.field(index).type))
        stream = InteractionStream("real", iter(rows.to_batches()), description="a test", watermark=None)
        self.store.interactions.import_interactions(stream, now=self.clock())

    def register(self, name="first", version="v1.0-real", watermark=None):
        """Register a version whose data reached as far as the watermark."""
        candidate = make_candidate(name, version, self.model_type, watermark=watermark)
        return self.store.versions.register(candidate, now=self.clock(), actor="a test")

    def launch(self, request, status=dg.DagsterRunStatus.STARTED, **more):
        """Create the run that a sensor asked for, as the daemon does."""
        return self.run(
            request.job_name or f"{self.model_type}_training",
            status,
            tags=request.tags,
            config=request.run_config,
            **more,
        )
