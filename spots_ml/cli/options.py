"""Arguments, options and the store, as several commands use them."""

import functools
import getpass
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from spots_ml.models.declared import deciding_models, declared_types
from spots_ml.registry.version_store import VersionStore
from spots_ml.settings import Settings

_Command = TypeVar("_Command", bound=Callable[..., object])


def model_argument(*, required: bool = True) -> Callable[[_Command], _Command]:
    """Add the argument MODEL.

    Args:
        required: Whether it may be left out.

    Returns:
        A decorator; the parameter is called `model_type`.
    """
    metavar = "MODEL" if required else "[MODEL]"
    return click.argument("model_type", metavar=metavar, type=click.Choice(declared_types()), required=required)


def version_argument(*, required: bool = True) -> Callable[[_Command], _Command]:
    """Add the argument VERSION.

    Args:
        required: Whether it may be left out.

    Returns:
        A decorator; the parameter is called `version`.
    """
    return click.argument("version", metavar="VERSION" if required else "[VERSION]", required=required)


def version_options(default: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add an option per kind of model that a decision asks, such as `--calling-score VERSION`.

    Args:
        default: Which version it is without the option, in words.

    Returns:
        A decorator; the command gets what was named as `versions`, by model.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def collecting(*arguments: Any, **options: Any) -> None:
            versions = {spec.name: options.pop(spec.name) for spec in deciding_models()}
            command(*arguments, versions=versions, **options)

        for spec in reversed(deciding_models()):
            told = f"{spec.title.capitalize()} version.  [default: {default}]"
            flag = f"--{spec.name.replace('_', '-')}"
            collecting = click.option(flag, spec.name, metavar="VERSION", help=told)(collecting)
        return collecting

    return decorate


def who_and_why(command: _Command) -> _Command:
    """Add the options that every change of a version has.

    Args:
        command: A function with the parameters `actor` and `reason`.

    Returns:
        The function with the options.
    """
    reason = click.option("--reason", default="", help="Why, for the history.")
    return actor_option(reason(command))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _named(_context: click.Context, _parameter: click.Parameter, actor: str) -> str:
    if not actor.strip():
        raise click.BadParameter("is empty; say who does this, or leave the option out")
    return actor


actor_option = click.option(
    "--actor", default=_user, callback=_named, help="Who does this, for the history.  [default: you]"
)
force_option = click.option(
    "--force", is_flag=True, help="Step around the blessing and what is measured; needs --reason, the history tells."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def utc_now() -> datetime:
    """Tell the present, in UTC."""
    return datetime.now(UTC)


def open_versions(settings: Settings | None = None) -> VersionStore:
    """Open the configured registry.

    Args:
        settings: The settings; None: those of the environment.

    Returns:
        The part that keeps them.
    """
    from spots_ml.opening import open_store

    return open_store(settings or Settings.from_env()).versions
