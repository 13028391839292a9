"""Arguments, options and the store, as several commands use them."""

import getpass
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import click

from spots_ml.models.declared import declared_types
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
    return click.argument("model_type", metavar="MODEL", type=click.Choice(declared_types()), required=required)


def version_argument(*, required: bool = True) -> Callable[[_Command], _Command]:
    """Add the argument VERSION.

    Args:
        required: Whether it may be left out.

    Returns:
        A decorator; the parameter is called `version`.
    """
    return click.argument("version", metavar="VERSION", required=required)


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
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def utc_now() -> datetime:
    """Tell the present, in UTC."""
    return datetime.now(UTC)


def open_versions(settings: Settings | None = None) -> VersionStore:
    """Open the configured registry.

    Args:
        settings: The settings; None: those of the environment.

    Returns:
        The store.
    """
    from spots_ml.opening import open_store

    return open_store(settings or Settings.from_env())
