"""What was made of which inputs: an index by the digest of the inputs, so that nothing is made twice.

Layout: `<made>/<step>/<digest of the inputs>.json`, sealed. An entry names what was made by digest; whoever uses it
checks that first, and makes it again where it is missing or damaged. The index may be deleted at any time.
"""

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from spots_ml.digests import digest_json, seal, unseal
from spots_ml.errors import ArtifactError, ContractError, GateError
from spots_ml.files import exclusive, write_whole
from spots_ml.pipeline.code_version import code_digest
from spots_ml.places import Places

T = TypeVar("T")


class Entry:
    """The place in the index for what one step makes of given inputs, with the present code.

    Args:
        places: Where the index lies.
        step: Which step.
        inputs: Everything that decides what comes out, beside code and libraries; values of JSON.
    """

    def __init__(self, places: Places, step: str, inputs: Mapping[str, Any]) -> None:
        self._inputs = {**inputs, "code": code_digest()}
        self._path = places.made_dir / step / f"{digest_json(self._inputs)}.json"

    @property
    def path(self) -> Path:
        """Its file."""
        return self._path

    def read(self) -> dict[str, Any] | None:
        """Look up what was made.

        Returns:
            What was noted; None where nothing was, or nothing that can be trusted.
        """
        try:
            found = unseal(self._path.read_bytes())
        except (OSError, ArtifactError):
            return None
        return dict(found["made"]) if found.get("inputs") == self._inputs else None

    def find(self, load: Callable[[dict[str, Any]], T]) -> T | None:
        """Load what was made, checked.

        Args:
            load: Loads it from what was noted, and raises when it is missing or damaged.

        Returns:
            What `load` gives; None where nothing was made, or it is no longer whole: then it is to be made again.
        """
        made = self.read()
        if made is None:
            return None
        try:
            return load(made)
        except (ArtifactError, ContractError, GateError):
            return None

    def note(self, made: Mapping[str, Any]) -> None:
        """Note what was made, in place of what was noted before.

        Args:
            made: The digest under which it lies, and what is not kept there; values of JSON.
        """
        write_whole(self._path, seal({"inputs": self._inputs, "made": dict(made), "note": uuid.uuid4().hex}))

    def latest(self) -> str | None:
        """Tell one note from another of the same: who waited sees whether it was made meanwhile.

        Returns:
            What names the note; None where there is none.
        """
        try:
            return str(unseal(self._path.read_bytes())["note"])
        except (OSError, ArtifactError):
            return None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody else makes this: the second one finds what the first has made.

        Yields:
            Nothing; whoever else asks for the same waits. A killed process leaves nothing to wait for.
        """
        with exclusive(self._path.with_suffix(".lock"), wait=True):
            yield
