"""ONNX Runtime sessions in this process, set up for single rows, and the graph that does nothing.

Sessions that certify a file are opened elsewhere, in processes of their own: see `client_check`.
"""

from typing import TYPE_CHECKING, Final

from spots_ml.release.certification.client_limits import (
    BATCH_AXIS,
    BUILT_IR_VERSION,
    INPUT_NAME,
    MAX_OPSET,
    OUTPUT_NAME,
)

if TYPE_CHECKING:
    import onnxruntime as ort

N_THREADS: Final = 1
"""Threads inside one call: a network this small loses by more, and a phone has better use for them."""


def open_session(content: bytes) -> "ort.InferenceSession":
    """Open a session made for single rows: one thread, nodes one after another, nobody spinning, all fusions.

    Args:
        content: An ONNX file.

    Returns:
        The session, on the processor.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = N_THREADS
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def empty_graph(width: int) -> bytes:
    """Write the graph that only passes its input on: what a call costs before any model.

    Args:
        width: Values per row.

    Returns:
        An ONNX file with one `Identity` node, `[batch, width]` in and out.
    """
    from onnx import TensorProto, helper

    node = helper.make_node("Identity", [INPUT_NAME], [OUTPUT_NAME])
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH_AXIS, width])
        for name in (INPUT_NAME, OUTPUT_NAME)
    ]
    model = helper.make_model(
        helper.make_graph([node], "empty", ends[:1], ends[1:]),
        opset_imports=[helper.make_opsetid("", MAX_OPSET)],
        ir_version=BUILT_IR_VERSION,
    )
    return bytes(model.SerializeToString())
