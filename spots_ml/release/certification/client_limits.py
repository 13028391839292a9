"""What the app's runtime accepts and how it calls a model: the fixed facts of the phone side.

The app loads one file from bytes with an ONNX Runtime of the 1.15 line. `onnx_graph` builds to these facts,
`static_checks` holds files against them, and `certification` proves them by running the file.
"""

from typing import Final

INPUT_NAME: Final = "input"
OUTPUT_NAME: Final = "output"
BATCH_AXIS: Final = "batch"

BUILT_IR_VERSION: Final = 8
"""The IR version we write: one below the limit, at no cost."""

MAX_IR_VERSION: Final = 9
MAX_OPSET: Final = 18

KNOWN_OPERATORS: Final = frozenset({"Add", "Gemm", "Mul", "Relu", "Sigmoid", "Sub"})
"""Operators of the default domain that a scoring network is made of; anything else is refused."""

MAX_SIZE_BYTES: Final = 10_000_000
"""A scoring network has some 60 to 80 KB; what is a hundred times that is not one."""
