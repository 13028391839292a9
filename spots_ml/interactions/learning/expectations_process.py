"""Runs Great Expectations in a process of its own: its import takes seconds and 200 MB, beside other work there.

What is expected is stated in `expectations`, which is imported as late as possible: the sooner the process starts, the
less there is to wait for. The process serves one request and ends; it ends as well when the process
that started it is gone.
"""

import gc
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from spots_ml.errors import SpotsMLError, ValidationFailedError

if TYPE_CHECKING:
    from spots_ml.interactions.learning.expectations import ExpectationResult

_TIMEOUT_S: Final = 1800


class ExpectationsProcess:
    """A process that imports Great Expectations at once and then waits for a dataset to look at.

    Usable as a context manager; `start` may be called early, `check` starts it when that was not done.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start importing; returns at once. Does nothing when it was started already."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def submit(self, datasets_dir: Path, digest: str, *, docs_dir: Path) -> None:
        """Hand over a dataset; returns at once. `results` waits for the answer.

        Args:
            datasets_dir: The folder of all datasets.
            digest: Which one.
            docs_dir: Where to render Data Docs; left alone when it exists already.
        """
        self.start()
        assert self._process is not None and self._process.stdin is not None
        request = {"datasets_dir": str(datasets_dir), "digest": digest, "docs_dir": str(docs_dir)}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def results(self) -> "list[ExpectationResult]":
        """Wait for what was found, and end the process.

        Returns:
            One result per expectation, as `check_expectations` gives them.

        Raises:
            ValidationFailedError: When the process could not evaluate the expectations; its last words are
                in the message.
        """
        from spots_ml.interactions.learning.expectations import ExpectationResult

        process, self._process = self._process, None
        if process is None:
            raise ValidationFailedError("no dataset was handed to Great Expectations; submit one first")
        with process:
            try:
                answer, words = process.communicate(timeout=_TIMEOUT_S)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise ValidationFailedError(
                    f"Great Expectations gave no answer within {_TIMEOUT_S} s and was ended; validate a smaller dataset"
                ) from error
        if process.returncode != 0 or not answer:
            raise ValidationFailedError(
                f"Great Expectations ended with status {process.returncode} and without an answer; it said: "
                f"{words.strip()[-2000:] or 'nothing'}"
            )
        document = json.loads(answer)
        if "error" in document:
            raise ValidationFailedError(document["error"])
        return [ExpectationResult(**{**found, "sample": tuple(found["sample"])}) for found in document["results"]]

    def close(self) -> None:
        """End the process when it still waits."""
        process, self._process = self._process, None
        if process is not None:
            with process:
                process.kill()

    def __enter__(self) -> "ExpectationsProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _serve() -> None:
    """Import, wait for one request, answer it on standard output."""
    gc.disable()  # what is imported stays to the end: no garbage is looked for in it, neither now nor then
    import great_expectations  # noqa: F401 - the import is what takes long

    from spots_ml.interactions.learning.expectations import check_expectations
    from spots_ml.interactions.learning.validation import load_dataset

    gc.freeze()
    gc.enable()

    line = sys.stdin.readline()
    if not line:
        return
    request = json.loads(line)
    answer: dict[str, object]
    try:
        report, rows = load_dataset(Path(request["datasets_dir"]), request["digest"])
        results = check_expectations(report, rows, docs_dir=Path(request["docs_dir"]))
        answer = {"results": [asdict(found) for found in results]}
    except SpotsMLError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")
    gc.freeze()


if __name__ == "__main__":
    _serve()
