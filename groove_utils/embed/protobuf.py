"""The protocol-buffer wire format, as far as reading checkpoints and editing ONNX files needs it.

Chapter 05 rests on two formats that are protocol buffers: the index of a TensorFlow checkpoint
and the ONNX graph of Basic Pitch. Walking their fields takes a page; the libraries that define
the messages would weigh hundreds of megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["fields", "pack_field", "read_varint", "spans", "write_varint"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Decode a base-128 integer, and give it with the position after it.

    Raises
    ------
    ValueError
        If the data end within it, or it is longer than ten bytes.
    """
    value = 0
    for n_bytes in range(10):
        if position + n_bytes >= len(data):
            raise ValueError("the data end within an integer: the file is cut short")
        byte = data[position + n_bytes]
        value |= (byte & 0x7F) << (7 * n_bytes)
        if byte < 0x80:
            return value, position + n_bytes + 1
    raise ValueError("an integer longer than ten bytes: this is not a protocol buffer")


def write_varint(value: int) -> bytes:
    """Encode a non-negative integer in base 128."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def spans(message: bytes) -> Iterator[tuple[int, int, int, int, int | bytes]]:
    """Where each field of a message lies.

    Yields
    ------
    start, end : int
        The field's bytes are ``message[start:end]``.
    number, wire : int
        Field number and wire type.
    value : int or bytes
        An int for varints; bytes (little-endian where they are numbers) for all else.

    Raises
    ------
    ValueError
        If the message is cut short or holds an unknown wire type.
    """
    position = 0
    while position < len(message):
        start = position
        tag, position = read_varint(message, position)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, position = read_varint(message, position)
            yield start, position, number, wire, value
            continue
        if wire == BYTES:
            size, position = read_varint(message, position)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            raise ValueError(f"field {number} has unknown wire type {wire}")
        if position + size > len(message):
            raise ValueError(f"field {number} is cut short")
        value = message[position : position + size]
        position += size
        yield start, position, number, wire, value


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message, see :func:`spans`."""
    for _, _, number, _, value in spans(message):
        yield number, value


def pack_field(number: int, value: bytes) -> bytes:
    """Encode a length-delimited field."""
    return write_varint(number << 3 | BYTES) + write_varint(len(value)) + value
