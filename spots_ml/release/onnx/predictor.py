"""A published file that answers rows, in time or not at all.

Every kind of failure becomes a `ModelUnavailableError` with its reason, so that whoever scores can fall back and count.
"""

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.release.certification.client_limits import INPUT_NAME, OUTPUT_NAME
from spots_ml.release.onnx.sessions import open_session
from spots_ml.scoring.fallback import ModelUnavailableError

if TYPE_CHECKING:
    import onnxruntime as ort

TIME_LIMIT_S: Final = 2.0
"""Seconds that one call may take, of one row or a few thousand: the phone gives a row 0.1, a busy server needs air."""
UNHURRIED_S: Final = 60.0
"""The same for what is measured or written down: a busy machine is no fallback there."""
_SLOW_CALLS_TO_REST: Final = 3
"""Calls in a row that were too slow before the model is not asked any more for a while."""
_REST_S: Final = 60.0
_POLL_S: Final = 0.05
_POLLS_TO_SLEEP: Final = 20


class OnnxPredictor:
    """Answers rows with an ONNX file in ONNX Runtime, on the processor.

    A call that takes too long is stopped. After three of them in a row the model is not asked for a minute: rows are
    answered by the formula at once instead of each waiting for the time limit.

    Args:
        content: The ONNX file.
        model_type: What the file is to be.
        time_limit_s: Most seconds per call.

    Raises:
        ModelUnavailableError: `not_loadable` when the runtime refuses the file or a first row; `wrong_contract` when
            the file is for another model or contract.
    """

    def __init__(self, content: bytes, model_type: ModelType, *, time_limit_s: float = TIME_LIMIT_S) -> None:
        try:
            self._session = open_session(content)
        except Exception as error:  # the runtime has a class of its own for every kind of trouble
            raise ModelUnavailableError("not_loadable", _told(error)) from error
        self._width = model_spec(model_type).n_inputs
        self._time_limit_s = time_limit_s
        self._n_slow = 0
        self._rests_until = 0.0
        _check_contract(self._session, model_type)
        if np.isnan(self.predict(np.full((1, self._width), 0.5, np.float32))).any():
            raise ModelUnavailableError("not_loadable", "it answers a plain row with something outside [0, 1]")

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Answer rows; may be called from several threads.

        Args:
            inputs: `(n_rows, 39)` or `(n_rows, 45)` float32 in [0, 1].

        Returns:
            `(n_rows,)` float32 in [0, 1]; NaN for a row whose answer is no such number.

        Raises:
            ModelUnavailableError: `slow`, `failed`, or `bad_answer` when the answer has the wrong shape.
        """
        if self._n_slow >= _SLOW_CALLS_TO_REST and time.monotonic() < self._rests_until:
            raise ModelUnavailableError("slow", f"it was too slow {self._n_slow} times in a row and is not asked now")
        answers = self._run(np.ascontiguousarray(inputs, dtype=np.float32))
        if answers.shape != (len(inputs), 1):
            raise ModelUnavailableError(
                "bad_answer", f"it answered with the shape {answers.shape}, expected {(len(inputs), 1)}"
            )
        column: np.ndarray = answers[:, 0]
        # NaN fails both comparisons.
        if len(column) and not (column.min() >= 0.0 and column.max() <= 1.0):
            column = np.where((column >= 0.0) & (column <= 1.0), column, np.float32(np.nan))
        return column

    def _run(self, inputs: np.ndarray) -> np.ndarray:
        import onnxruntime as ort

        options = ort.RunOptions()
        started = time.monotonic()
        watch = _watch
        watch.begin(options, started + self._time_limit_s)
        try:
            answers: np.ndarray = self._session.run([OUTPUT_NAME], {INPUT_NAME: inputs}, options)[0]
        except Exception as error:
            if time.monotonic() - started < self._time_limit_s:
                raise ModelUnavailableError("failed", _told(error)) from error
            self._n_slow += 1
            self._rests_until = time.monotonic() + _REST_S
            raise ModelUnavailableError(
                "slow", f"{len(inputs):,} rows took more than {self._time_limit_s:g} s"
            ) from error
        finally:
            watch.end(options)
        self._n_slow = 0
        return answers


def _check_contract(session: "ort.InferenceSession", model_type: ModelType) -> None:
    metadata = session.get_modelmeta().custom_metadata_map
    found = {name: metadata.get(name) for name in ("model_type", "contract_digest")}
    expected = {"model_type": model_type, "contract_digest": CONTRACT_DIGEST}
    wrong = [
        f"{name} is {found[name]}, expected {expected[name]}" for name in expected if found[name] != expected[name]
    ]
    ends = [(end.name, len(end.shape)) for end in (*session.get_inputs(), *session.get_outputs())]
    width = model_spec(model_type).n_inputs
    if ends != [(INPUT_NAME, 2), (OUTPUT_NAME, 2)] or session.get_inputs()[0].shape[1] != width:
        wrong.append(f"it does not map {INPUT_NAME} [batch, {width}] to {OUTPUT_NAME} [batch, 1]")
    if wrong:
        raise ModelUnavailableError("wrong_contract", "; ".join(wrong))


def _told(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class _Watch:
    """Stops calls that are over their time: one thread for all of them, asleep when there are none for a while."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[float, Any]] = {}
        self._awake = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, options: "ort.RunOptions", deadline: float) -> None:
        """Watch a call from now on.

        Args:
            options: Of the call.
            deadline: When to stop it, in seconds of the monotonic clock.
        """
        self._calls[id(options)] = (deadline, options)
        if not self._awake.is_set():
            self._wake()

    def end(self, options: "ort.RunOptions") -> None:
        """Watch a call no longer; it ended by itself or was stopped."""
        del self._calls[id(options)]

    def _wake(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="onnx-time-limit", daemon=True)
                self._thread.start()
            self._awake.set()

    def _watch(self) -> None:
        while self._awake.wait():
            n_idle = 0
            while n_idle < _POLLS_TO_SLEEP:
                n_idle = 0 if self._calls else n_idle + 1
                now = time.monotonic()
                for deadline, options in list(self._calls.values()):
                    if now > deadline:
                        options.terminate = True
                time.sleep(_POLL_S)
            self._awake.clear()
            # A call that began before the flag was cleared has not woken anybody.
            if self._calls:
                self._awake.set()


_watch = _Watch()


def _watch_anew() -> None:
    global _watch
    _watch = _Watch()


# A forked process has a copy of the object, but not its thread.
os.register_at_fork(after_in_child=_watch_anew)
