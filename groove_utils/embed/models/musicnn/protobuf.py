"""The protocol-buffer wire format, as far as reading a TensorFlow checkpoint needs it.

Chapter 05 rests on checkpoints whose index is made of protocol buffers. Walking their fields takes
a page; the library that defines the messages would weigh hundreds of megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["fields", "read_varint"]

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


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message.

    Yields
    ------
    number : int
    value : int or bytes
        An int for varints; bytes (little-endian where they are numbers) for all else.

    Raises
    ------
    ValueError
        If the message is cut short or holds an unknown wire type.
    """
    position = 0
    while position < len(message):
        tag, position = read_varint(message, position)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, position = read_varint(message, position)
            yield number, value
            continue
        if wire == BYTES:
            size, position = read_varint(message, position)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            raise ValueError(f"field {number} has unknown wire type {wire}")
        if position + size > len(message):
            raise ValueError(f"field {number} is cut short")
        yield number, message[position : position + size]
        position += size
