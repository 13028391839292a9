"""The console logger of every run: time, step and sentence, nothing else."""

import logging
import sys
from typing import Final

import dagster as dg

_LOGGER_NAME: Final = "spots_ml.runs"


class _StepFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        step = (meta.get("step_key") or "").replace("__", "/")
        message = meta.get("orig_message") or record.getMessage()
        return f"{self.formatTime(record, '%H:%M:%S')}  {step:<32}  {message}"


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out that a step waits for one that failed: that one has said why."""
    message = getattr(record, "dagster_meta", {}).get("orig_message") or record.getMessage()
    return not message.startswith("Dependencies for step ")


@dg.logger(
    config_schema={"log_level": dg.Field(str, default_value="INFO", is_required=False)},
    description="One short line per message on standard error.",
)
def console(init_context: dg.InitLoggerContext) -> logging.Logger:
    """Make the console logger.

    Args:
        init_context: Holds the level, `INFO` unless the run says otherwise.

    Returns:
        A logger that writes to standard error only.
    """
    logger = logging.Logger(_LOGGER_NAME, init_context.logger_config["log_level"])
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_StepFormatter())
    handler.addFilter(_is_news)
    logger.addHandler(handler)
    return logger
