"""What can be told about an ONNX file by reading it: is it of the one kind the phone can take.

Nothing is run here; running it in the client's and the current runtime is `certification`'s part.
"""

import json
from collections.abc import Iterator
from typing import Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message
from onnx import numpy_helper

from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.release.certification.certificate import StaticReport
from spots_ml.release.certification.client_limits import (
    INPUT_NAME,
    KNOWN_OPERATORS,
    MAX_IR_VERSION,
    MAX_OPSET,
    MAX_SIZE_BYTES,
    OUTPUT_NAME,
)

_FLOAT32: Final = onnx.TensorProto.FLOAT
_DTYPE_NAMES: Final = {number: name for name, number in onnx.TensorProto.DataType.items()}


def check_file(content: bytes, *, model_type: ModelType, version: str, trained_digest: str) -> StaticReport:
    """Read an ONNX file and list everything that makes it unfit.

    Args:
        content: The file; anything at all is accepted and judged.
        model_type: The model it must be.
        version: The version name its metadata must carry.
        trained_digest: The trained model its metadata must name.

    Returns:
        Its facts and all findings; no findings: nothing against it.
    """
    if not 0 < len(content) <= MAX_SIZE_BYTES:
        return _unreadable(f"has {len(content):,} bytes; expected 1 to {MAX_SIZE_BYTES:,}")
    try:
        model = onnx.load_from_string(content)
    except DecodeError as error:
        return _unreadable(f"is not an ONNX model ({error})")
    if not all(isinstance(text, str) for text in _texts(model)):
        return _unreadable("holds names that are not UTF-8 text; the file is damaged")
    expected = {
        "contract_digest": CONTRACT_DIGEST,
        "feature_names": json.dumps(model_spec(model_type).inputs),
        "model_type": model_type,
        "trained_digest": trained_digest,
        "version": version,
    }
    findings = [
        *_format_findings(model),
        *_operator_findings(model.graph),
        *_interface_findings(model.graph, model_spec(model_type).n_inputs),
        *_weight_findings(model.graph),
        *_preprocessing_findings(model.graph, model_spec(model_type).n_inputs),
        *_metadata_findings(model, expected),
    ]
    if not findings:
        findings += _checker_findings(model)
    opset = next((entry.version for entry in model.opset_import if entry.domain == ""), None)
    return StaticReport(
        ir_version=model.ir_version,
        opset=opset,
        operators=tuple(sorted({node.op_type for node in model.graph.node})),
        findings=tuple(findings),
    )


def _unreadable(finding: str) -> StaticReport:
    return StaticReport(ir_version=None, opset=None, operators=(), findings=(finding,))


def _texts(message: Message) -> Iterator[str | bytes]:
    """Walk all text fields; those that are not UTF-8 come as bytes."""
    for field, value in message.ListFields():
        values = [value] if isinstance(value, str | bytes | Message) else value
        if field.type == field.TYPE_STRING:
            yield from values
        elif field.type == field.TYPE_MESSAGE:
            for child in values:
                yield from _texts(child)


def _format_findings(model: onnx.ModelProto) -> Iterator[str]:
    if not 1 <= model.ir_version <= MAX_IR_VERSION:
        yield f"IR version {model.ir_version}; the app takes {MAX_IR_VERSION} at most"
    if not any(entry.domain == "" for entry in model.opset_import):
        yield "names no opset of the default domain"
    for entry in model.opset_import:
        if entry.domain != "":
            yield f"uses the operator domain {entry.domain!r}; expected only the default one"
        elif entry.version > MAX_OPSET:
            yield f"opset {entry.version}; the app takes {MAX_OPSET} at most"
    for field in ("functions", "training_info"):
        if len(getattr(model, field)):
            yield f"carries {field}; expected none"
    if len(model.graph.sparse_initializer):
        yield "carries sparse weights; expected dense float32"


def _operator_findings(graph: onnx.GraphProto) -> Iterator[str]:
    unknown = sorted({n.op_type for n in graph.node if n.domain or n.op_type not in KNOWN_OPERATORS})
    if unknown:
        yield f"unknown operators {', '.join(unknown)}; expected only {', '.join(sorted(KNOWN_OPERATORS))}"
    if not graph.node or graph.node[-1].op_type != "Sigmoid" or OUTPUT_NAME not in graph.node[-1].output:
        yield f"does not end in a Sigmoid named `{OUTPUT_NAME}`: nothing keeps the answer in [0, 1]"


def _interface_findings(graph: onnx.GraphProto, n_features: int) -> Iterator[str]:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    for side, values, name, width in (
        ("input", inputs, INPUT_NAME, n_features),
        ("output", list(graph.output), OUTPUT_NAME, 1),
    ):
        if [value.name for value in values] != [name]:
            yield f"{side}s are {[value.name for value in values]}; expected ['{name}']"
        for value in values:
            tensor = value.type.tensor_type
            if tensor.elem_type != _FLOAT32:
                dtype = _DTYPE_NAMES.get(tensor.elem_type, f"of unknown type {tensor.elem_type}")
                yield f"{side} `{value.name}` is {dtype}, expected FLOAT"
            shape = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
            if shape != [None, width]:
                shown = ", ".join("batch" if size is None else str(size) for size in shape)
                yield f"{side} `{value.name}` is [{shown}]; expected [batch, {width}] with a free batch"


def _weight_findings(graph: onnx.GraphProto) -> Iterator[str]:
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    tensors = [*graph.initializer, *(a.t for a in attributes if a.type == onnx.AttributeProto.TENSOR)]
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.external_data):
            place = {entry.key: entry.value for entry in tensor.external_data}.get("location", "nowhere")
            yield f"weights `{tensor.name}` lie in another file ({place}); the app loads one file from bytes"
        elif tensor.data_type != _FLOAT32:
            yield f"weights `{tensor.name}` are not float32"
        elif (values := _values(tensor)) is None:
            yield f"weights `{tensor.name}` are cut short: shape {list(tensor.dims)} does not match the data"
        elif not np.isfinite(values).all():
            yield f"weights `{tensor.name}` hold NaN or infinity"


def _values(tensor: onnx.TensorProto) -> np.ndarray | None:
    try:
        return numpy_helper.to_array(tensor)
    except ValueError:
        return None


def _preprocessing_findings(graph: onnx.GraphProto, n_features: int) -> Iterator[str]:
    constants = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    source = INPUT_NAME
    for operator, purpose in (("Sub", "shift"), ("Mul", "scale")):
        users = [node for node in graph.node if source in node.input]
        found = [node.op_type for node in users]
        if found != [operator] or len(users[0].input) != 2 or users[0].input[0] != source:
            yield (
                f"preprocessing is missing: `{source}` goes to {', '.join(found) or 'nothing'}, expected one "
                f"{operator} with the {purpose} of each feature; the app feeds raw contract values"
            )
            return
        if constants.get(users[0].input[1]) != (n_features,):
            yield f"preprocessing {purpose} is not a constant of {n_features} values"
        source = "".join(users[0].output)


def _metadata_findings(model: onnx.ModelProto, expected: dict[str, str]) -> Iterator[str]:
    found = {entry.key: entry.value for entry in model.metadata_props}
    for key, value in expected.items():
        if key not in found:
            yield f"metadata `{key}` is missing; expected {_short(value)}"
        elif found[key] != value:
            yield f"metadata `{key}` is {_short(found[key])}; expected {_short(value)}"


def _short(text: str) -> str:
    return text if len(text) <= 64 else f"{text[:48]}... ({len(text)} characters)"


def _checker_findings(model: onnx.ModelProto) -> list[str]:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, UnicodeDecodeError) as error:
        return [f"is refused by the ONNX checker: {' '.join(str(error).split())}"]
    return []
