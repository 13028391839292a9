"""A trained network as one self-contained ONNX file, written node by node.

The graph is `input -> Sub -> Mul -> (Gemm -> Relu)... -> Gemm -> Mul -> Add -> Sigmoid -> output`:
preprocessing and calibration are inside, so the phone feeds raw contract values. Why `torch.onnx.export` does
not make it is told in docs/decisions/onnx-written-by-hand.md; whether a file may ship is decided in
`static_checks` and `certification`.
"""

import json
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper

from spots_ml.errors import ArtifactError
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.models.declared import model_spec
from spots_ml.release.certification.client_limits import (
    BATCH_AXIS,
    BUILT_IR_VERSION,
    INPUT_NAME,
    MAX_OPSET,
    OUTPUT_NAME,
)

if TYPE_CHECKING:
    import torch

    from spots_ml.training.network import ScoringNetwork

PRODUCER: Final = "spots_ml"
_SHIFT: Final = "shift"


def build_onnx(network: "ScoringNetwork", *, version: str, trained_digest: str) -> bytes:
    """Write a network as ONNX.

    Args:
        network: The trained network; its parameters and buffers are copied bit for bit as float32.
        version: Version name that goes into the metadata, such as `v1.0-synthetic`.
        trained_digest: Digest of the trained model that the network was loaded from.

    Returns:
        The bytes of one ONNX file with all weights inside: opset 18, IR version 8, float32 input `input`
        `[batch, 39]` or `[batch, 45]`, float32 output `output` `[batch, 1]`; equal bytes for equal arguments.
        Nothing is judged here: a network with NaN weights gives a file that `static_checks` refuses.

    >>> from spots_ml.training.network import ScoringNetwork
    >>> content = build_onnx(ScoringNetwork("outcome"), version="v1.0-synthetic", trained_digest="0" * 64)
    >>> [node.op_type for node in onnx.load_from_string(content).graph.node][:4]
    ['Sub', 'Mul', 'Gemm', 'Relu']
    """
    names = model_spec(network.model_type).inputs
    graph = _GraphWriter()
    graph.apply("Sub", _SHIFT, network.shift)
    graph.apply("Mul", "scale", network.scale)
    for number, layer in enumerate(network.layers):
        if number > 0:
            graph.node("Relu")
        graph.gemm(f"layer_{number}", layer.weight, layer.bias)  # type: ignore[arg-type]
    graph.apply("Mul", "calibration_slope", network.calibration_slope)
    graph.apply("Add", "calibration_intercept", network.calibration_intercept)
    graph.node("Sigmoid", output=OUTPUT_NAME)

    float32 = onnx.TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            network.model_type,
            [helper.make_tensor_value_info(INPUT_NAME, float32, [BATCH_AXIS, len(names)])],
            [helper.make_tensor_value_info(OUTPUT_NAME, float32, [BATCH_AXIS, 1])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", MAX_OPSET)],
        ir_version=BUILT_IR_VERSION,
        producer_name=PRODUCER,
    )
    helper.set_model_props(
        model,
        {
            "contract_digest": CONTRACT_DIGEST,
            "feature_names": json.dumps(names),
            "model_type": network.model_type,
            "trained_digest": trained_digest,
            "version": version,
        },
    )
    return bytes(model.SerializeToString(deterministic=True))


def training_means(content: bytes) -> np.ndarray:
    """Read the training means out of a file that `build_onnx` wrote: the average interaction, as the model knows it.

    Args:
        content: The ONNX file.

    Returns:
        `(n_inputs,)` float32, the network's `shift`.

    Raises:
        ArtifactError: When the file cannot be read, or holds no such constant.
    """
    constants = {one.name: one for one in _read(content).graph.initializer}
    if _SHIFT not in constants:
        raise ArtifactError(f"the ONNX file has no constant {_SHIFT!r}; expected one as `build_onnx` writes it")
    means: np.ndarray = numpy_helper.to_array(constants[_SHIFT])
    return means


def named_trained_model(content: bytes) -> str | None:
    """Read out of a file which trained model it was written from.

    Args:
        content: The ONNX file.

    Returns:
        The digest that its metadata name; None when they name none.

    Raises:
        ArtifactError: When the file cannot be read.

    >>> from spots_ml.training.network import ScoringNetwork
    >>> named_trained_model(build_onnx(ScoringNetwork("outcome"), version="v1.0-synthetic", trained_digest="abc"))
    'abc'
    """
    return {entry.key: entry.value for entry in _read(content).metadata_props}.get("trained_digest")


def _read(content: bytes) -> onnx.ModelProto:
    try:
        return onnx.load_from_string(content)
    except DecodeError as error:
        raise ArtifactError("this is no ONNX file; restore it from a backup") from error


class _GraphWriter:
    """A chain of nodes, each taking the output of the one before, and their constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._last_output = INPUT_NAME

    def node(self, operator: str, *constants: str, output: str | None = None) -> onnx.NodeProto:
        """Append a node that takes the last output and the named constants."""
        name = f"{len(self.nodes)}_{operator.lower()}"
        output = output or name
        node = helper.make_node(operator, [self._last_output, *constants], [output], name=name)
        self.nodes.append(node)
        self._last_output = output
        return node

    def apply(self, operator: str, name: str, constant: "torch.Tensor") -> None:
        """Append an element-wise node with one constant operand."""
        self.node(operator, self._constant(name, constant))

    def gemm(self, name: str, weight: "torch.Tensor", bias: "torch.Tensor") -> None:
        """Append a linear layer; `weight` is `(n_out, n_in)` as torch keeps it."""
        constants = (self._constant(f"{name}_weight", weight), self._constant(f"{name}_bias", bias))
        self.node("Gemm", *constants).attribute.append(helper.make_attribute("transB", 1))

    def _constant(self, name: str, tensor: "torch.Tensor") -> str:
        values = np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)
        self.initializers.append(numpy_helper.from_array(values, name))
        return name
