"""A whole chain in a place of its own, with a clock that tests move."""

import dataclasses
from datetime import UTC, datetime, timedelta

from spots_ml.pipeline.chain import ChainConfig, run_chain
from spots_ml.pipeline.data_steps import Sources
from spots_ml.pipeline.registration_step import register_model
from spots_ml.places import Places
from spots_ml.release.certification.certify import default_runtimes
from spots_ml.release.latency.report import LatencyConfig
from spots_ml.settings import Settings
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.training.config import TrainingConfig
from spots_ml_tests.pipeline.chosen_data import N_ROWS, Told

NOW = datetime(2026, 11, 21, tzinfo=UTC)
RUNTIMES = default_runtimes(Settings().client_python)
QUICK = TrainingConfig(max_epochs=30, n_resamples=20)
LATENCY = LatencyConfig(n_runs=200, n_blocks=2, throughput_s=0.001, n_cold_loads=1)


@dataclasses.dataclass
class World:
    """Places and a registry of their own, with a clock that moves on at every glance."""

    places: Places
    config: ChainConfig
    moment: datetime = NOW

    @classmethod
    def at(cls, folder, source="synthetic", **more):
        places = Places(folder / "data", folder / "artifacts")
        sources = Sources("embedded", lambda: None, synthetic_rows=N_ROWS, **more)
        return cls(places, ChainConfig(source, sources, RUNTIMES, training=QUICK, latency=LATENCY))

    @property
    def store(self):
        return embedded_store(self.places.database).versions

    def clock(self):
        self.moment += timedelta(seconds=1)
        return self.moment

    def run(self, *models, **changes):
        return run_chain(
            self.places,
            self.store,
            dataclasses.replace(self.config, **changes),
            models or ("calling_score",),
            clock=self.clock,
            actor="a test",
            expectations=Told(),
        )

    def register(self, outcome, *, latency=None):
        return register_model(
            self.places,
            self.store,
            trained_digest=outcome.trained.digest,
            onnx_digest=outcome.exported.digest,
            latency_digest=latency or outcome.measured.digest,
            now=self.clock(),
            actor="a test",
        )
