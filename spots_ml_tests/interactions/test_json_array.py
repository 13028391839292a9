"""Cutting a huge array: what comes out is what the standard parser sees, however the bytes arrive."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spots_ml.errors import InputError
from spots_ml.interactions.reading import json_array
from spots_ml.interactions.reading.json_array import Decoded, Elements, Member, read_document

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def pieces(text: bytes, size: int) -> list[bytes]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def read(text: bytes, size: int = 1 << 20, decode=lambda portion: None) -> tuple[dict, list]:
    members, elements = {}, []
    for event in read_document(iter(pieces(text, size)), "items", decode, name="it"):
        if isinstance(event, Member):
            members[event.name] = event.value
        elif isinstance(event, Elements):
            elements += [json.loads(each) for each in event.texts]
        else:
            assert isinstance(event, Decoded)
            elements += event.value
    return members, elements


@given(
    st.lists(VALUES, max_size=6),
    st.dictionaries(st.text().filter(lambda key: key != "items"), VALUES, max_size=3),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
    st.integers(1, 50),
)
def test_any_document_is_cut_into_what_the_standard_parser_sees(items, members, indent, ascii_only, size) -> None:
    document = {**members, "items": items}
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert read(text, size) == (members, items)
    assert read(text, size, decode=json.loads) == (members, items)


@given(st.lists(VALUES.map(lambda value: {"value": value}), max_size=20), st.sets(st.integers(0, 40)))
def test_portions_that_the_decoder_refuses_are_cut_by_structure(items, refused) -> None:
    calls = iter(range(1000))

    def decode(portion: bytes) -> list | None:
        return None if next(calls) in refused else json.loads(portion)

    text = json.dumps({"items": items}).encode()
    size = json_array.SLICE_BYTES
    json_array.SLICE_BYTES = 64
    try:
        assert read(text, 16, decode) == ({}, items)
    finally:
        json_array.SLICE_BYTES = size


def test_members_are_found_on_both_sides_of_the_array() -> None:
    assert read(b'{"a": 1, "items": [1, 2], "b": {"c": [3]}}') == ({"a": 1, "b": {"c": [3]}}, [1, 2])


def test_an_element_that_is_too_large_is_refused_before_it_fills_the_memory() -> None:
    def endless():
        yield b'{"items": [{"a": "'
        for _ in range(200):
            yield b"x" * (1 << 20)

    with pytest.raises(InputError, match="exceeds 32 MiB"):
        list(read_document(endless(), "items", lambda portion: None, name="it"))
