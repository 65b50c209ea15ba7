"""Files with damaged headers give samples or an AudioError, without excessive use of memory.

A few dozen files are tried in every run, and two thousand weekly. They are decoded in a separate
process, so that a decoder's crash, or a file that claims gigabytes, fails only this test.
"""

import multiprocessing
import resource
import struct

import numpy as np
import pytest
import soundfile
from ffmpeg_files import encode

SR = 22050
MEMORY = 300  # MiB more than at the start of the process
HEADER = 400  # bytes, within which most damage is done
# sizes and counts that often cause errors
EXTREMES = [0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Undamaged files of each format, by name."""
    folder = tmp_path_factory.mktemp("sounds")
    y = np.random.default_rng(0).uniform(-0.5, 0.5, SR // 2)
    for suffix in ("wav", "flac", "mp3", "ogg", "aiff"):
        soundfile.write(folder / f"a.{suffix}", y, SR)
    for name, codec, rate in (("m4a", "aac", SR), ("opus", "libopus", 48000)):
        encode(folder / f"a.{name}", y[:, None], codec, rate, SR)
    encode(folder / "a.webm", y[:, None], "libopus", 48000, SR)
    return {file.suffix: file.read_bytes() for file in sorted(folder.iterdir())}


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip bytes of a file's header, write extreme numbers, or cut, double or shift parts of it."""
    spoilt = bytearray(data)
    end = min(HEADER, len(data))
    match rng.integers(6):
        case 0 | 1:
            for place in rng.integers(end, size=rng.integers(1, 6)):
                spoilt[place] = rng.integers(256)
        case 2:
            place, order = rng.integers(end - 4), rng.choice(["<I", ">I"])
            spoilt[place : place + 4] = struct.pack(order, int(rng.choice(EXTREMES)))
        case 3:
            del spoilt[rng.integers(len(data)) :]
        case 4:
            place, n = rng.integers(end), rng.integers(1, 64)
            spoilt[place:place] = rng.bytes(n) if rng.random() < 0.5 else spoilt[place : place + n]
        case 5:
            place = rng.integers(len(data))
            spoilt[place : place + 256] = rng.bytes(min(256, len(data) - place))
    return bytes(spoilt)


def decode_all(folder, files, seeds, results):
    """Decode damaged files with limited memory, and send each result."""
    from groove_utils.audio import AudioError, audio_duration, load_audio

    load_audio(folder / "whole.wav")  # allocates what decoders need only once
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    resource.setrlimit(resource.RLIMIT_CPU, (300, 300))
    for seed in seeds:
        rng = np.random.default_rng(seed)
        suffix = sorted(files)[seed % len(files)]
        path = folder / f"{seed}{suffix}"
        path.write_bytes(damage(files[suffix], rng))
        results.put((seed, suffix, "began"))
        try:
            y, _ = load_audio(path, mono=False)
            audio_duration(path)
            outcome = "samples" if np.isfinite(y).all() and y.size else "not finite"
        except AudioError as error:
            outcome = "refused" if error.kind and str(path) in str(error) else f"{error!r}"
        except BaseException as error:
            outcome = f"{type(error).__name__}: {error}"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        outcome = outcome if peak - used < MEMORY else f"{peak - used} MiB"
        results.put((seed, suffix, outcome))
        path.unlink()
    results.put(None)


def outcomes(folder, files, seeds):
    (folder / "whole.wav").write_bytes(files[".wav"])
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=decode_all, args=(folder, files, list(seeds), results))
    process.start()
    found = {}
    while process.is_alive() or not results.empty():
        if results.empty():
            process.join(0.05)
        elif (result := results.get()) is None:
            break
        else:
            found[result[:2]] = result[2]
    process.join()
    return found


def check(folder, files, seeds):
    found = outcomes(folder, files, seeds)
    wrong = {key: text for key, text in found.items() if text not in ("samples", "refused")}
    assert not wrong
    assert len(found) == len(seeds)
    assert {"samples", "refused"} <= set(found.values())


def test_a_few_dozen_damaged_files(tmp_path, sounds):
    check(tmp_path, sounds, range(80))


@pytest.mark.weekly
def test_two_thousand_damaged_files(tmp_path, sounds):
    check(tmp_path, sounds, range(2000))
