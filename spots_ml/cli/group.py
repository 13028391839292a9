"""The command group: finds commands by name and turns the project's errors into one sentence and an exit status."""

import importlib
import io
import sys
from typing import Any, Final

import click

from spots_ml.cli.whole_help import WholeHelpGroup
from spots_ml.errors import ConfigError, SpotsMLError
from spots_ml.troubles import as_error

COMMANDS: Final = {
    "archive": "spots_ml.cli.registry.lifecycle",
    "bless": "spots_ml.cli.registry.bless",
    "check-log": "spots_ml.cli.scoring.check_log",
    "client-kit": "spots_ml.cli.scoring.client_kit",
    "db": "spots_ml.cli.db",
    "drill": "spots_ml.cli.rollouts.drill",
    "due": "spots_ml.cli.due",
    "explain": "spots_ml.cli.scoring.explain",
    "forecast": "spots_ml.cli.forecasting.forecasts",
    "forecasts": "spots_ml.cli.forecasting.forecasts",
    "generate": "spots_ml.cli.interactions",
    "history": "spots_ml.cli.registry.versions",
    "import": "spots_ml.cli.interactions",
    "local-supabase": "spots_ml.cli.local_supabase",
    "phone-manifest": "spots_ml.cli.registry.phone_manifest",
    "plan": "spots_ml.cli.forecasting.plan",
    "promote": "spots_ml.cli.registry.lifecycle",
    "retrain": "spots_ml.cli.retrain",
    "rollback": "spots_ml.cli.registry.lifecycle",
    "rollout": "spots_ml.cli.rollouts.rollout",
    "run": "spots_ml.cli.run",
    "score": "spots_ml.cli.scoring.score",
    "show": "spots_ml.cli.registry.versions",
    "status": "spots_ml.cli.status",
    "sync": "spots_ml.cli.registry.sync",
    "unarchive": "spots_ml.cli.registry.lifecycle",
    "verify": "spots_ml.cli.registry.verify",
    "versions": "spots_ml.cli.registry.versions",
    "weight": "spots_ml.cli.registry.lifecycle",
    "withdraw": "spots_ml.cli.registry.lifecycle",
}
"""Command -> the module that holds it, as `<command>_command` (with `_` for `-`)."""


class LazyGroup(WholeHelpGroup):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(
            importlib.import_module(COMMANDS[cmd_name]), f"{cmd_name.replace('-', '_')}_command"
        )
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what a user can act on becomes one sentence, 2 for a wrong setting and 1 else."""
        # A name that is no UTF-8 is escaped, and no traceback.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except Exception as error:
            told = error if isinstance(error, SpotsMLError) else as_error(error)
            if told is None:
                raise
            raise (_WrongSetting if isinstance(told, ConfigError) else click.ClickException)(str(told)) from error


class _WrongSetting(click.ClickException):
    exit_code = 2


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spots_ml")
def main() -> None:
    """Continuous training for SPOTS: interactions in, proven and certified ONNX models out."""
