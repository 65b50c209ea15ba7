"""Read the variables of a TensorFlow checkpoint (V2 "bundle" format) without TensorFlow.

A bundle is two files. ``.index`` is a sorted string table as LevelDB writes it: blocks of
prefix-compressed keys, an index block that says where the others are, and a 48-byte footer. Each
key is a variable's name, each value a ``BundleEntryProto`` with its dtype, shape, offset and size
in ``.data-00000-of-00001``, where the numbers lie raw and little-endian. Block and tensor
checksums (masked CRC-32C) are verified. Chapter 05 reads the MusiCNN weights through it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from groove_utils.embed.models.musicnn.protobuf import fields, read_varint

__all__ = ["CheckpointError", "crc32c", "read_checkpoint"]

_MAGIC = 0xDB4775248B80FB57
_FOOTER_SIZE = 48
_TRAILER_SIZE = 5  # after each block: one byte for the compression, four for the checksum
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}


class CheckpointError(ValueError):
    """A checkpoint that cannot be read; the message says which file and what is wrong with it."""


def read_checkpoint(
    prefix: str | os.PathLike, *, slots: bool = False, verify: bool = True
) -> dict[str, np.ndarray]:
    """Read all variables of a checkpoint.

    Parameters
    ----------
    prefix : path-like
        What the names of the files start with; ``model`` for ``model.index``, and a folder for a
        checkpoint that was saved without a name (``folder/.index``).
    slots : bool
        Also read the optimiser's own variables (Adam's moments and power terms).
    verify : bool
        Check the checksum of each tensor (those of the index are always checked).

    Returns
    -------
    dict of str to ndarray
        By variable name, in the order of the table.

    Raises
    ------
    CheckpointError
        If a file is missing, cut short, compressed, sharded, damaged, or of an unknown dtype.
    """
    prefix = Path(prefix)
    if prefix.is_dir():
        index_path, data_path = prefix / ".index", prefix / ".data-00000-of-00001"
    else:
        index_path = prefix.with_name(prefix.name + ".index")
        data_path = prefix.with_name(prefix.name + ".data-00000-of-00001")
    for path in (index_path, data_path):
        if not path.is_file():
            raise CheckpointError(
                f"{path}: no such file. A checkpoint is an .index with a .data file beside it; "
                "install the package that carries it again."
            )
    variables = {}
    try:
        entries = [(key.decode(), value) for key, value in _read_table(index_path.read_bytes())]
    except (ValueError, struct.error) as error:
        raise CheckpointError(f"{index_path}: not a readable checkpoint index ({error}).") from None
    size = data_path.stat().st_size
    with data_path.open("rb") as data:
        for name, value in entries:
            if not name:  # the header entry
                _check_header(value, index_path)
                continue
            if not slots and _is_slot(name):
                continue
            variables[name] = _read_tensor(name, _parse_entry(value), data, size, verify, data_path)
    return variables


def _is_slot(name: str) -> bool:
    return name.endswith(("/Adam", "/Adam_1")) or name in {"beta1_power", "beta2_power"}


def _check_header(value: bytes, path: Path) -> None:
    header = dict(fields(value))
    if header.get(1, 0) != 1 or header.get(2, 0) != 0:
        raise CheckpointError(
            f"{path}: has {header.get(1, 0)} shards (endianness {header.get(2, 0)}); expected one "
            "little-endian shard."
        )


def _parse_entry(value: bytes) -> dict:
    entry = {"dtype": 0, "shape": (), "offset": 0, "size": 0, "crc": None}
    for number, content in fields(value):
        if number == 1:
            entry["dtype"] = content
        elif number == 2:
            sizes = (dict(fields(dim)).get(1, 0) for field, dim in fields(content) if field == 2)
            entry["shape"] = tuple(sizes)
        elif number == 4:
            entry["offset"] = content
        elif number == 5:
            entry["size"] = content
        elif number == 6:
            entry["crc"] = struct.unpack("<I", content)[0]
    return entry


def _read_tensor(name, entry, data, data_size, verify, path) -> np.ndarray:
    dtype = _DTYPES.get(entry["dtype"])
    if dtype is None:
        raise CheckpointError(
            f"{path}: variable {name!r} has dtype number {entry['dtype']}; "
            f"known are {sorted(_DTYPES)} (floats and integers)."
        )
    expected = int(np.prod(entry["shape"])) * np.dtype(dtype).itemsize
    if entry["size"] != expected or entry["offset"] + entry["size"] > data_size:
        raise CheckpointError(
            f"{path}: variable {name!r} of shape {entry['shape']} needs {expected} bytes at "
            f"{entry['offset']}, but {entry['size']} are listed and the file holds {data_size}. "
            "It is cut short, or does not belong to its index."
        )
    data.seek(entry["offset"])
    raw = data.read(entry["size"])
    if verify and entry["crc"] is not None and _mask(crc32c(raw)) != entry["crc"]:
        raise CheckpointError(
            f"{path}: the checksum of variable {name!r} does not match; the file is damaged."
        )
    return np.frombuffer(raw, dtype).reshape(entry["shape"]).copy()


def _read_table(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(table) < _FOOTER_SIZE:
        raise ValueError(f"{len(table)} bytes are too few for a footer")
    footer = table[-_FOOTER_SIZE:]
    if struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise ValueError("the footer does not end in the table's magic number")
    position = 0
    handle = []
    for _ in range(4):  # offset and size of the meta-index block, then of the index block
        number, position = read_varint(footer, position)
        handle.append(number)
    for _, where in _read_block(table, handle[2], handle[3]):
        offset, position = read_varint(where, 0)
        size, _ = read_varint(where, position)
        yield from _read_block(table, offset, size)


def _read_block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    end = offset + size + _TRAILER_SIZE
    if end > len(table) - _FOOTER_SIZE:
        raise ValueError(f"a block at byte {offset} reaches beyond the table")
    block, trailer = table[offset : offset + size], table[offset + size : end]
    if trailer[0] != 0:
        raise ValueError(f"the block at byte {offset} is compressed (type {trailer[0]})")
    if _mask(crc32c(block + trailer[:1])) != struct.unpack("<I", trailer[1:])[0]:
        raise ValueError(f"the checksum of the block at byte {offset} does not match")
    n_restarts = struct.unpack("<I", block[-4:])[0]
    stop = len(block) - 4 * (1 + n_restarts)
    position, key = 0, b""
    while position < stop:
        shared, position = read_varint(block, position)
        fresh, position = read_varint(block, position)
        length, position = read_varint(block, position)
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


def _mask(crc: int) -> int:
    # stored checksums are rotated and shifted, so that a CRC of data holding CRCs stays sound
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32 with the Castagnoli polynomial (iSCSI), as LevelDB tables use it.

    Long inputs are cut into equal lanes that NumPy advances side by side; the lanes' remainders
    are then joined by linearity, since a CRC is linear over GF(2).
    """
    if len(data) < 4096:
        return _crc_bytes(data, 0xFFFFFFFF) ^ 0xFFFFFFFF
    lane_size = max(64, int(len(data) ** 0.5))
    n_lanes = len(data) // lane_size
    lanes = np.frombuffer(data, np.uint8, n_lanes * lane_size).reshape(n_lanes, lane_size)
    table = np.array(_CRC, dtype=np.uint32)
    crcs = np.zeros(n_lanes, dtype=np.uint32)
    crcs[0] = 0xFFFFFFFF
    for column in lanes.T:
        crcs = table[(crcs ^ column) & 0xFF] ^ crcs >> np.uint32(8)
    shift = _zeros_operator(lane_size)
    crc = 0
    for lane in crcs.tolist():
        crc = _apply(shift, crc) ^ lane
    return _crc_bytes(data[n_lanes * lane_size :], crc) ^ 0xFFFFFFFF


def _crc_bytes(data: bytes, crc: int) -> int:
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def _zeros_operator(n_bytes: int) -> list[list[int]]:
    """What `n_bytes` zero bytes do to a CRC, as four tables of 256, one for each of its bytes."""
    columns = []
    for bit in range(32):
        columns.append(_crc_bytes(bytes(n_bytes), 1 << bit))
    tables = []
    for byte in range(4):
        table = [0] * 256
        for value in range(1, 256):
            low = value & -value
            table[value] = table[value ^ low] ^ columns[8 * byte + low.bit_length() - 1]
        tables.append(table)
    return tables


def _apply(operator: list[list[int]], crc: int) -> int:
    return (
        operator[0][crc & 0xFF]
        ^ operator[1][crc >> 8 & 0xFF]
        ^ operator[2][crc >> 16 & 0xFF]
        ^ operator[3][crc >> 24]
    )
