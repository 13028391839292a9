"""What the migrations make, by name: what of a database is this project's. Read from the files, so that no list lags.

Who may do what with it is in `rights`; whether a database still has it so, in `access`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Kind = Literal["table", "view", "sequence", "function", "policy", "type"]

_NAME: Final = r"(?P<name>(?:public|private)\.\w+)"
_MADE: Final = re.compile(
    r"^\s*(?P<verb>create|drop) (?:or replace )?(?P<kind>table|view|sequence|function|policy|type) "
    rf"(?:if (?:not )?exists )?(?:(?P<policy>\w+) on )?{_NAME}",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Inventory:
    """Names that the migrations make and do not take away again.

    Attributes:
        names: By kind, with their schemas; a policy is named `<table> <policy>`.
        text: All migrations in their order.
    """

    names: dict[Kind, frozenset[str]]
    text: str


def read_inventory(files: Iterable[Path]) -> Inventory:
    """Read what migrations make.

    Args:
        files: The migrations, in their order.

    Returns:
        The names. What a migration makes by statements that it puts together itself is not among them.
    """
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    names: dict[Kind, set[str]] = {kind: set() for kind in ("table", "view", "sequence", "function", "policy", "type")}
    for found in _MADE.finditer(text):
        name = found["name"] if found["policy"] is None else f"{found['name']} {found['policy']}"
        of_kind = names[found["kind"]]  # type: ignore[index]
        if found["verb"] == "create":
            of_kind.add(name)
        elif found["kind"] != "function":
            # One function of several with a name may go; each that stays was made under that name.
            of_kind.discard(name)
    return Inventory({kind: frozenset(found) for kind, found in names.items()}, text)
