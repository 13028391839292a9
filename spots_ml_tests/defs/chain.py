"""Runs the real chain in this process, on data that tests choose, and tells what came out."""

import dataclasses
import shutil

import dagster as dg

from spots_ml.defs.build import build_definitions
from spots_ml.defs.resources import Platform
from spots_ml.settings import Settings
from spots_ml_tests.defs.homes import make_home
from spots_ml_tests.pipeline.chosen_data import N_ROWS, Told


@dataclasses.dataclass
class Outcome:
    """What a run led to: the metadata of what it materialised, failed checks and failed steps in words."""

    result: dg.ExecuteInProcessResult

    @property
    def metadata(self):
        return {
            event.asset_key.to_user_string(): {
                name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()
            }
            for event in self.result.get_asset_materialization_events()
        }

    @property
    def failed_checks(self):
        return {
            f"{check.asset_key.to_user_string()}: {check.check_name}": check.description
            for check in self.result.get_asset_check_evaluations()
            if not check.passed
        }

    @property
    def failures(self):
        """Sentence by failed step; a step that failed in another way than by refusing is a bug, and raised."""
        found = {}
        for event in self.result.all_events:
            if event.is_step_failure:
                data = event.step_failure_data
                if data.user_failure_data is None:
                    assert "blocking asset check failed" in data.error.message, data.error.to_string()
                    continue
                found[event.step_key.replace("__", "/")] = data.user_failure_data.description
        return found

    @property
    def digests(self):
        return {asset: values["digest"] for asset, values in self.metadata.items()}


@dataclasses.dataclass
class Chain:
    """A platform and a Dagster instance in one folder, which can be copied to go on from there."""

    folder: object
    options: dict = dataclasses.field(default_factory=dict)
    expectations: object = dataclasses.field(default_factory=Told)

    def __post_init__(self):
        make_home(self.home)
        self.settings = Settings(
            data_dir=self.folder / "data",
            artifacts_dir=self.folder / "artifacts",
            **{"synthetic_rows": N_ROWS, **self.options},
        )
        self.platform = Platform(self.settings, expectations=self.expectations)

    @property
    def home(self):
        return self.folder / "home"

    def copy(self, folder, **options):
        """Go on elsewhere from this state; options change settings."""
        shutil.copytree(self.folder, folder)
        return Chain(folder, {**self.options, **options})

    def run(self, *steps, job="calling_score_training", config=None):
        """Run a job or, with steps such as `trained_model`, those alone."""
        selection = [self.key(step) for step in steps] or None
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return Outcome(
                build_definitions(self.settings, platform=self.platform)
                .resolve_job_def(job)
                .execute_in_process(
                    instance=instance,
                    asset_selection=selection,
                    raise_on_error=False,
                    run_config={
                        "ops": {name: {"config": values} for name, values in (config or {}).items()},
                        "loggers": {"console": {}},
                    },
                )
            )

    @staticmethod
    def key(step):
        shared = step in ("raw_training_data", "validated_dataset")
        return dg.AssetKey([step] if shared else ["calling_score", step])
