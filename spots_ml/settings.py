"""The settings: the only reader of environment variables. What each variable means is told in `.env.example` too.

Only `definitions`, `defs` and the command line read settings; everything below takes plain arguments.
"""

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar, cast, get_args

from spots_ml.errors import ConfigError
from spots_ml.experiments.policy import LEAST_MATURITY_HOURS, RolloutPolicy
from spots_ml.interactions.kinds import Source, StoreKind
from spots_ml.monitoring.retraining import WATCHED_DAYS, RetrainConfig
from spots_ml.places import LOCAL_PROJECT_ENV, Places

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
"""The checkout. Relative paths in settings are meant from here, whatever directory a process was started in."""

PREFIX: Final = "SPOTS_ML_"

_YES_OR_NO: Final = ("no", "yes")
"""How a truth is written, by its value."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Settings:
    """Every setting of the project, checked.

    Attributes:
        source: Where interactions come from: our generator, an export file, or the store, under its name.
        export_path: The export to read; always set when `source` is `export`.
        store: Where interactions and the registry are kept.
        supabase_url: The Supabase project's address; None: not known.
        supabase_key: Its secret key, that of the service role; in no representation.
        supabase_dsn: Its Postgres, for bulk reads and migrations; None: everything goes over the API.
        data_dir: Snapshots, datasets and the embedded store.
        artifacts_dir: Trained models, ONNX files, benchmarks and published versions.
        profile: A training profile (YAML); None: the built-in defaults.
        client_python: The interpreter that has the oldest client runtime.
        synthetic_rows: Rows of the synthetic source.
        synthetic_seed: Seed of the synthetic source.
        max_broken_share: Share of broken rows, in [0, 1], beyond which validation stops the run.
        retrain: Thresholds of the retraining decision.
        maturity_hours: How long an outcome may take to count, in hours.
        max_fallback_share: Share of decisions without a model's answer, in [0, 1], above which there is an alert.
        rollout: The rules by which versions are rolled out; outcomes have `maturity_hours` there, too, but no
            less than phones have to report a decision.
        opportunities: Candidate pairs to score every day, a Parquet file or a folder of them; None: the store's own
            interactions are scored again.
        exploration: Share of served decisions left to a fair coin, in [0, 0.2].
        data_docs_url: Where the pages of `data_dir/data_docs` are served; no slash at the end.
    """

    source: Source = "synthetic"
    export_path: Path | None = None
    store: StoreKind = "embedded"
    supabase_url: str | None = None
    supabase_key: str | None = field(default=None, repr=False)
    supabase_dsn: str | None = field(default=None, repr=False)
    data_dir: Path = PROJECT_ROOT / "data"
    artifacts_dir: Path = PROJECT_ROOT / "artifacts"
    profile: Path | None = None
    client_python: Path = PROJECT_ROOT / ".venv-client" / "bin" / "python"
    synthetic_rows: int = 10_000
    synthetic_seed: int = 42
    max_broken_share: float = 0.05
    retrain: RetrainConfig = field(default_factory=RetrainConfig)
    maturity_hours: float = 48.0
    max_fallback_share: float = 0.01
    rollout: RolloutPolicy = field(default_factory=RolloutPolicy)
    opportunities: Path | None = None
    exploration: float = 0.0
    data_docs_url: str = "http://127.0.0.1:3001"

    @property
    def places(self) -> Places:
        """Where everything lies."""
        return Places(self.data_dir, self.artifacts_dir)

    def require_supabase(self) -> tuple[str, str]:
        """Insist on a Supabase project.

        Returns:
            Its address and its secret key.

        Raises:
            ConfigError: When one of them is not set.
        """
        if self.supabase_url and self.supabase_key:
            return self.supabase_url, self.supabase_key
        missing = [
            f"{PREFIX}SUPABASE_{name}"
            for name, value in (("URL", self.supabase_url), ("KEY", self.supabase_key))
            if not value
        ]
        raise ConfigError(
            f"{' and '.join(missing)} not set; set the project's address and its secret key, "
            f"or start a local project with `make dev-supabase`, which is found where {PREFIX}STORE=supabase is set"
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings.

        Args:
            environ: Variables by name; None: the process environment over the project's `.env` file. An empty value
                counts as not set, names that do not begin with `SPOTS_ML_` are ignored.

        Returns:
            The checked settings; paths are absolute.

        Raises:
            ConfigError: When a variable is unknown or has a value that is not allowed; every problem is listed.
        """
        return _Reader(environment() if environ is None else environ).settings()


def environment() -> dict[str, str]:
    """Read the variables: the process environment over the project's `.env` file.

    Returns:
        Values by name; a Supabase project that is named nowhere is the local one, while it runs.
    """
    told = {**_dotenv(PROJECT_ROOT / ".env"), **os.environ}
    if told.get(f"{PREFIX}STORE", "").strip() == "supabase" and not told.get(f"{PREFIX}SUPABASE_URL", "").strip():
        data_dir = PROJECT_ROOT / Path(told.get(f"{PREFIX}DATA_DIR", "").strip() or "data").expanduser()
        return told | _dotenv(data_dir / LOCAL_PROJECT_ENV)
    return told


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    _require_lines(path)
    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _require_lines(path: Path) -> None:
    """Insist that every line of a `.env` file says something: one that does not parse would be left out."""
    from dotenv.parser import parse_stream

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no UTF-8 text (at byte {error.start}); save it as UTF-8") from error
    wrong = [
        # What is told begins with the blank lines before it.
        found.original.line + found.original.string[: -len(found.original.string.lstrip())].count("\n")
        for found in parse_stream(io.StringIO(text))
        if found.error or (found.key is not None and found.value is None)
    ]
    if wrong:
        raise ConfigError(
            f"{path}, line {', '.join(map(str, wrong))}: not understood; expected NAME=value (a value with blanks or # "
            "in quotes), or a comment that begins with #"
        )


class _Reader:
    """Reads variables one by one and remembers which were asked for and what was wrong."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.values = {k: v.strip() for k, v in environ.items() if k.startswith(PREFIX)}
        self.known: list[str] = []
        self.problems: list[str] = []

    def settings(self) -> Settings:
        """Read everything, then raise all problems at once."""
        base = Settings()
        retrain, rollout = base.retrain, base.rollout
        store = self._choice("STORE", base.store, get_args(StoreKind))
        # Who keeps interactions in Supabase means to learn from them; the embedded store may well be empty.
        default_source = base.source if store == base.store else store
        maturity_hours = self._number("MATURITY_HOURS", base.maturity_hours, float, 0, 8_760)
        settings = Settings(
            source=cast(Source, self._choice("SOURCE", default_source, get_args(Source))),
            export_path=self._path("EXPORT_PATH", None),
            store=cast(StoreKind, store),
            supabase_url=self._value("SUPABASE_URL") or None,
            supabase_key=self._value("SUPABASE_KEY") or None,
            supabase_dsn=self._value("SUPABASE_DSN") or None,
            data_dir=self._path("DATA_DIR", base.data_dir) or base.data_dir,
            artifacts_dir=self._path("ARTIFACTS_DIR", base.artifacts_dir) or base.artifacts_dir,
            profile=self._path("PROFILE", None),
            client_python=self._path("CLIENT_PYTHON", base.client_python) or base.client_python,
            synthetic_rows=self._number("SYNTHETIC_ROWS", base.synthetic_rows, int, 1, 100_000_000),
            synthetic_seed=self._number("SYNTHETIC_SEED", base.synthetic_seed, int, 0, 2**32 - 1),
            max_broken_share=self._number("MAX_BROKEN_SHARE", base.max_broken_share, float, 0, 1),
            retrain=RetrainConfig(
                new_labels=self._number("RETRAIN_NEW_LABELS", retrain.new_labels, int, 1, 10**12),
                corrected_labels=self._number("RETRAIN_CORRECTED_LABELS", retrain.corrected_labels, int, 1, 10**12),
                max_age_days=self._number("RETRAIN_MAX_AGE_DAYS", retrain.max_age_days, float, 0.001, 36_500),
                tolerated_loss=self._number("RETRAIN_TOLERATED_LOSS", retrain.tolerated_loss, float, 0, 10),
                **self._drift_days(retrain),
                **self._label_bounds(),
                worthwhile_gain=self._number("RETRAIN_GAIN", retrain.worthwhile_gain, float, 0.0001, 0.9),
            ),
            maturity_hours=maturity_hours,
            max_fallback_share=self._number("MAX_FALLBACK_SHARE", base.max_fallback_share, float, 0, 1),
            rollout=RolloutPolicy.model_validate(
                rollout.model_dump()
                | {
                    "maturity_hours": max(maturity_hours, LEAST_MATURITY_HOURS),
                    "auto_start": self._choice("ROLLOUT_AUTO_START", _YES_OR_NO[rollout.auto_start], _YES_OR_NO)
                    == _YES_OR_NO[True],
                    "when_busy": self._choice("ROLLOUT_WHEN_BUSY", rollout.when_busy, ("wait", "supersede")),
                    **self._rollout_days(rollout, maturity_hours),
                    "lifetime_level": self._number("ROLLOUT_LEVEL", rollout.lifetime_level, float, 1e-6, 0.5),
                    "trusted_weight": self._number("ROLLOUT_TRUSTED_WEIGHT", rollout.trusted_weight, float, 0, 1),
                    "most_fallbacks": self._number("ROLLOUT_MOST_FALLBACKS", rollout.most_fallbacks, float, 0, 1),
                }
            ),
            opportunities=self._path("OPPORTUNITIES", None),
            exploration=self._number("EXPLORATION", base.exploration, float, 0, 0.2),
            data_docs_url=(self._value("DATA_DOCS_URL") or base.data_docs_url).rstrip("/"),
        )
        self._check_export(settings)
        self._check_store(settings)
        self._check_names()
        if self.problems:
            raise ConfigError("; ".join(self.problems) + " (see .env.example)")
        return settings

    def _label_bounds(self) -> dict[str, int]:
        least = self._number("RETRAIN_LEAST_LABELS", 0, int, 1, 10**12)
        most = self._number("RETRAIN_MOST_LABELS", 0, int, 1, 10**12)
        if not least and not most:
            return {}
        if not 0 < least <= most:
            self.problems.append(
                f"{PREFIX}RETRAIN_LEAST_LABELS is {least or 'not set'} and {PREFIX}RETRAIN_MOST_LABELS "
                f"{most or 'not set'}; expected both, the second at least as large, or neither"
            )
            return {}
        return {"least_labels": least, "most_labels": most}

    def _rollout_days(self, base: RolloutPolicy, maturity_hours: float) -> dict[str, float]:
        window_days = self._number("ROLLOUT_WINDOW_DAYS", base.window_days, float, 0.04, 90)
        longest_days = self._number("ROLLOUT_LONGEST_DAYS", base.longest_days, float, 1, 3_650)
        hours = max(maturity_hours, LEAST_MATURITY_HOURS)
        least_days = len(base.shares) * (window_days + hours / 24.0)
        if longest_days <= least_days:
            self.problems.append(
                f"{PREFIX}ROLLOUT_LONGEST_DAYS is {longest_days:g}, and until then nothing is known of the last stage: "
                f"each takes {window_days:g} days for a unit and {hours:g} hours for its outcomes; expected more than "
                f"{least_days:g}, or fewer {PREFIX}ROLLOUT_WINDOW_DAYS or {PREFIX}MATURITY_HOURS"
            )
            return {}
        return {"window_days": window_days, "longest_days": longest_days}

    def _drift_days(self, base: RetrainConfig) -> dict[str, int]:
        days = self._number("RETRAIN_DRIFT_DAYS", base.drift_days, int, 1, WATCHED_DAYS)
        of_days = self._number("RETRAIN_DRIFT_OF_DAYS", base.drift_of_days, int, 1, WATCHED_DAYS)
        if days > of_days:
            self.problems.append(
                f"{PREFIX}RETRAIN_DRIFT_DAYS is {days}; expected at most {PREFIX}RETRAIN_DRIFT_OF_DAYS, {of_days}"
            )
            return {}
        return {"drift_days": days, "drift_of_days": of_days}

    def _value(self, name: str) -> str:
        self.known.append(PREFIX + name)
        return self.values.get(PREFIX + name, "")

    def _choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self._value(name) or default
        if value not in choices:
            self.problems.append(f"{PREFIX}{name} is {value!r}; expected one of: {', '.join(choices)}")
            return default
        return value

    def _path(self, name: str, default: Path | None) -> Path | None:
        value = self._value(name)
        # Not resolve(): an interpreter in a virtual environment is a link that must stay one.
        return PROJECT_ROOT / Path(value).expanduser() if value else default

    def _number(self, name: str, default: _T, parse: Callable[[str], _T], low: float, high: float) -> _T:
        value = self._value(name)
        if not value:
            return default
        try:
            number = parse(value)
        except ValueError:
            number = None
        if number is None or not low <= cast(float, number) <= high:
            kind = "a whole number" if parse is int else "a number"
            self.problems.append(f"{PREFIX}{name} is {value!r}; expected {kind} from {low:,} to {high:,}")
            return default
        return number

    def _check_export(self, settings: Settings) -> None:
        path = self.values.get(f"{PREFIX}EXPORT_PATH")
        if settings.source == "export" and not path:
            self.problems.append(
                f"{PREFIX}SOURCE is 'export' but {PREFIX}EXPORT_PATH is not set; "
                "set it to the export file (JSON or JSON.gz)"
            )
        if path and not self.values.get(f"{PREFIX}SOURCE"):
            self.problems.append(
                f"{PREFIX}EXPORT_PATH is set but {PREFIX}SOURCE is not, so the file would be ignored; "
                f"set {PREFIX}SOURCE=export to read it"
            )

    def _check_store(self, settings: Settings) -> None:
        if settings.source in get_args(StoreKind) and settings.source != settings.store:
            self.problems.append(
                f"{PREFIX}SOURCE is {settings.source!r} but {PREFIX}STORE is {settings.store!r}; "
                "interactions come from the store that counts their labels: set both to the same"
            )
        if settings.store == "supabase":
            try:
                settings.require_supabase()
            except ConfigError as error:
                self.problems.append(str(error))

    def _check_names(self) -> None:
        unknown = sorted(set(self.values) - set(self.known))
        if unknown:
            self.problems.append(f"unknown: {', '.join(unknown)}; known are: {', '.join(self.known)}")
