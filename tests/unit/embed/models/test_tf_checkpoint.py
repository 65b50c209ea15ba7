import shutil
import struct
from pathlib import Path

import numpy as np
import onnx
import pytest

from groove_utils.embed.models.musicnn.checkpoints import checkpoint_folder
from groove_utils.embed.models.musicnn.protobuf import fields, read_varint
from groove_utils.embed.models.musicnn.tf_checkpoint import CheckpointError, crc32c, read_checkpoint


def write_varint(value):
    """Encode a non-negative integer in base 128, the lowest digits first."""
    digits = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([*(digit | 0x80 for digit in digits[:-1]), digits[-1]])


def pack_field(number, value):
    """Encode a length-delimited field."""
    return write_varint(number << 3 | 2) + write_varint(len(value)) + value


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0x00000000),
        (b"123456789", 0xE3069283),
        # RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_crc32c_matches_published_values(data, crc):
    assert crc32c(data) == crc


@pytest.mark.parametrize("size", [4095, 4096, 4097, 10_000, 65_537])
def test_lanes_agree_with_bytes_in_turn(size):
    data = np.random.default_rng(size).bytes(size)
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    assert crc32c(data) == crc ^ 0xFFFFFFFF


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**63])
def test_varints_round_trip(value):
    assert read_varint(b"x" + write_varint(value), 1) == (value, 1 + len(write_varint(value)))


def test_fields_of_every_wire_type():
    message = b"\x08\x96\x01" + pack_field(2, b"abc") + b"\x1d\x01\x00\x00\x00" + b"\x21" + bytes(8)
    assert list(fields(message)) == [(1, 150), (2, b"abc"), (3, b"\x01\0\0\0"), (4, bytes(8))]
    for size in (1, 2, 5, 7, 10, 20):  # none of them a field's end
        with pytest.raises(ValueError, match="cut short"):
            list(fields(message[:size]))
    with pytest.raises(ValueError, match="wire type 3"):
        list(fields(b"\x0b"))


def test_fields_are_those_that_the_library_wrote():
    tensor = onnx.TensorProto(name="a kernel", data_type=1, raw_data=bytes(300), dims=[3, 25])
    found = list(fields(tensor.SerializeToString()))
    assert dict(found)[8] == b"a kernel"
    assert dict(found)[9] == bytes(300)
    assert [value for number, value in found if number == 1] == [3, 25]


def test_variables_of_the_installed_checkpoint():
    variables = read_checkpoint(checkpoint_folder("mtt-musicnn"))
    assert len(variables) == 64
    assert variables["conv2d/kernel"].shape == (7, 38, 1, 204)
    assert variables["conv2d_2/kernel"].shape == (128, 1, 1, 51)
    assert variables["dense/kernel"].shape == (1506, 200)
    assert all(np.isfinite(values).all() for values in variables.values())
    assert (variables["batch_normalization_1/moving_variance"] > 0).all()
    everything = read_checkpoint(checkpoint_folder("mtt-musicnn"), slots=True, verify=False)
    assert {"conv2d/kernel/Adam", "beta1_power"} <= set(everything)
    np.testing.assert_array_equal(everything["conv2d/bias"], variables["conv2d/bias"])


@pytest.fixture
def copied(tmp_path):
    folder = checkpoint_folder("mtt-vgg")
    for suffix in ("index", "data-00000-of-00001"):
        shutil.copy(folder / f".{suffix}", tmp_path / f"model.{suffix}")
    return tmp_path / "model"


def damage(path: Path, position: int, xor: int = 1):
    content = bytearray(path.read_bytes())
    content[position] ^= xor
    path.write_bytes(content)


def test_named_prefix_reads_the_same(copied):
    original = read_checkpoint(checkpoint_folder("mtt-vgg"))
    for name, values in read_checkpoint(copied).items():
        np.testing.assert_array_equal(values, original[name])


def test_a_flipped_bit_in_the_numbers_is_noticed(copied):
    damage(copied.with_name("model.data-00000-of-00001"), 100)
    with pytest.raises(CheckpointError, match=r"checksum of variable '1CNN/bias'"):
        read_checkpoint(copied)


@pytest.mark.parametrize(
    ("position", "message"),
    [(20, "checksum of the block"), (-1, "magic"), (-45, "table|cut|long|block")],
)
def test_a_damaged_index_is_noticed(copied, position, message):
    damage(copied.with_name("model.index"), position, 0x40)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(copied)


def test_files_cut_short_or_missing_are_named(copied):
    data = copied.with_name("model.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cut short"):
        read_checkpoint(copied)
    index = copied.with_name("model.index")
    index.write_bytes(index.read_bytes()[:30])
    with pytest.raises(CheckpointError, match="too few"):
        read_checkpoint(copied)
    data.unlink()
    with pytest.raises(CheckpointError, match="no such file"):
        read_checkpoint(copied)


def write_bundle(prefix: Path, entries: list[tuple[str, np.ndarray]], block_entries: int = 3):
    """A bundle of several blocks with shared key prefixes, by the format's description."""

    def block(items):
        body, last, restarts = b"", b"", []
        for i, (key, value) in enumerate(items):
            shared = 0
            if i % 2 == 0:
                restarts.append(len(body))
            else:
                while shared < min(len(last), len(key)) and last[shared] == key[shared]:
                    shared += 1
            fresh = key[shared:]
            body += write_varint(shared) + write_varint(len(fresh)) + write_varint(len(value))
            body += fresh + value
            last = key
        body += b"".join(struct.pack("<I", r) for r in restarts) + struct.pack("<I", len(restarts))
        crc = crc32c(body + b"\0")
        mask = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        return body, b"\0" + struct.pack("<I", mask)

    data, items = b"", [(b"", b"\x08\x01\x1a\x02\x08\x01")]
    for name, values in entries:
        raw = values.astype("<f4").tobytes()
        shape = b"".join(pack_field(2, b"\x08" + write_varint(n)) for n in values.shape)
        entry = b"\x08\x01" + pack_field(2, shape)
        entry += b"\x20" + write_varint(len(data)) + b"\x28" + write_varint(len(raw))
        data += raw
        items.append((name.encode(), entry))
    table, handles = b"", []
    for start in range(0, len(items), block_entries):
        chunk = items[start : start + block_entries]
        body, trailer = block(chunk)
        handles.append((chunk[-1][0] + b"~", write_varint(len(table)) + write_varint(len(body))))
        table += body + trailer
    meta_at = len(table)
    meta, trailer = block([])
    table += meta + trailer
    index_at = len(table)
    index, trailer = block(handles)
    table += index + trailer
    footer = b"".join(map(write_varint, (meta_at, len(meta), index_at, len(index))))
    table += footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    prefix.with_name(prefix.name + ".index").write_bytes(table)
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(data)


def test_many_blocks_with_shared_prefixes(tmp_path):
    rng = np.random.default_rng(0)
    entries = [(f"layer_{i:02d}/kernel", rng.normal(size=(i + 1, 3))) for i in range(20)]
    entries.append(("scalar", np.array(2.5)))
    write_bundle(tmp_path / "many", entries)
    variables = read_checkpoint(tmp_path / "many")
    assert list(variables) == [name for name, _ in entries]
    for name, values in entries:
        np.testing.assert_array_equal(variables[name], values.astype(np.float32))
