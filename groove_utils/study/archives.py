"""Read NPZ archives safely, even if they are damaged or malicious."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np

__all__ = ["LARGEST", "read_arrays", "read_texts"]

LARGEST = 512 << 20  # maximum unpacked size of an archive, in bytes


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the numeric arrays of an NPZ archive.

    Entries that hold text, Python objects or a single integer, such as a ``song_id``, are treated
    as metadata and skipped.

    Parameters
    ----------
    path : pathlib.Path
        Archive to read.

    Returns
    -------
    dict of str to ndarray
        Arrays by name.

    Raises
    ------
    ValueError
        If the file is not an NPZ archive, contains no numeric array, unpacks to more than 512 MiB,
        or declares an array size that does not match its data. Sizes are checked before memory is
        allocated.
    """
    arrays = {
        name: values
        for name, values in _read_members(path, "iuf").items()
        if values.dtype.kind == "f" or values.size != 1
    }
    if not arrays:
        raise ValueError("contains no numeric array")
    return arrays


def read_texts(path: Path) -> dict[str, str]:
    """Read the text entries of an NPZ archive, such as a ``song_id``, into a dictionary.

    Arrays of more than one string are skipped. The parameter and the errors are the same as for
    :func:`read_arrays`, except that an archive without text is valid.
    """
    texts = _read_members(path, "US")
    return {name: str(value[()]) for name, value in texts.items() if value.size == 1}


def _read_members(path: Path, kinds: str) -> dict[str, np.ndarray]:
    """Read the arrays whose dtype kind is in `kinds`, a string such as ``"iuf"``."""
    if not is_zipfile(path):
        size = path.stat().st_size
        raise ValueError(f"is not an .npz archive, or is incomplete ({size} bytes)")
    arrays = {}
    try:
        archive = ZipFile(path)
    except (OSError, ValueError, BadZipFile) as error:
        raise ValueError(f"cannot be read as an .npz archive ({error})") from error
    with archive:
        total = sum(member.file_size for member in archive.infolist())
        if total > LARGEST:
            raise ValueError(f"unpacks to {total:,} bytes; the limit is {LARGEST:,}")
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            try:
                if _read_type(archive, member).kind in kinds:
                    with archive.open(member) as file:
                        arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
            except (
                OSError,
                EOFError,
                ValueError,
                NotImplementedError,  # raised by zipfile for unknown methods of compression
                BadZipFile,
                zlib.error,
            ) as error:
                raise ValueError(f"contains {name!r}, which cannot be read ({error})") from error
    return arrays


def _read_type(archive: ZipFile, member) -> np.dtype:
    """Return the dtype of an array; raise a ValueError if its declared size is wrong."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        if version[0] not in read:
            raise ValueError(f"version {version} of the .npy format is not supported")
        shape, _, dtype = read[version[0]](file)
        size = file.tell() + math.prod(shape) * dtype.itemsize
    if size != member.file_size and not dtype.hasobject:  # Python objects are never read
        raise ValueError(f"it declares {size:,} bytes but contains {member.file_size:,}")
    return dtype
