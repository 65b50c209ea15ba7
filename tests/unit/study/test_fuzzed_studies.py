"""Damaged study files and spreadsheets give a list of problems or a usable study."""

import json

import numpy as np
import pandas as pd
import pytest

from groove_utils.study import StudyError, load_study, validate_study
from groove_utils.study.sheets import read_sheet

FILES = ["study.yml", "tracks.csv", "ratings.csv", "listeners.csv", "descriptors.csv"]
PIECES = [
    b"", b",", b";", b'"', b"\n", b"\r\n", b"\0", b"\xff", b"'", b"nan", b"inf", b"1e999", b"-",
    b"0x1", b"TRUE", b"\t", b" ", b"{", b"[", b"&a ", b"*a", b"!!python/name:os", b": ", b"- ",
    b"#", b"../", b"=1+1",
    "\u202e".encode(), "é".encode(), b"song0", b"L0", b"dance", b"sep=;\n", b"\xef\xbb\xbf",
]  # fmt: skip


def damage(data, rng):
    """Insert markup, numbers and separators into a file, or cut and double parts of the file."""
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(len(data) + 1))
        match rng.integers(4):
            case 0:
                piece = PIECES[rng.integers(len(PIECES))]
                data = data[:place] + piece + data[place + int(rng.integers(2)) * len(piece) :]
            case 1:
                data = data[:place] + bytes([int(rng.integers(256))]) + data[place + 1 :]
            case 2:
                data = data[:place] + data[place + int(rng.integers(1, 40)) :]
            case 3:
                lines = data.splitlines(keepends=True) or [b""]
                k = int(rng.integers(len(lines)))
                lines.insert(int(rng.integers(len(lines) + 1)), lines[k])
                data = b"".join(lines)
    return data


def check(folder, seeds):
    """Damage one file at a time, and check that the result is a list of problems or usable."""
    table = pd.DataFrame({"track_id": [f"song{k}" for k in range(8)], "rms": np.arange(8) / 8})
    table.to_csv(folder / "descriptors.csv", index=False)
    whole = {file: (folder / file).read_bytes() for file in FILES}
    accepted = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        file = FILES[seed % len(FILES)]
        (folder / file).write_bytes(damage(whole[file], rng))
        problems = validate_study(folder, check_audio=False)
        for each in problems:
            assert str(each).count("found ") >= 1, seed
            assert len(str(each)) < 2000, seed
        if not problems:
            accepted += 1
            use(load_study(folder))
        (folder / file).write_bytes(whole[file])
    assert 0 < accepted < len(seeds)


def use(study):
    """Read everything that chapters read at their beginning."""
    assert all([len(study.tracks), study.styles, study.title, study.scales])
    assert isinstance(study.simulated, bool)
    for query in study.queries:
        means = study.song_means(query)
        assert len(means) == len(study.tracks)
        low, high = study.scales[query]
        assert means.dropna().between(low - 1, high + 1).all()
        if study.has("listeners"):
            assert study.rating_matrix(query).shape[1] == len(study.tracks)
    assert study.descriptors.select_dtypes("number").shape[0] >= 1


def test_some_damaged_studies(make_study):
    check(make_study(audio=False), range(40))


@pytest.mark.weekly
def test_many_damaged_studies(make_study):
    check(make_study(audio=False), range(600))


def exports():
    """Ratings of four tracks by three listeners, as a table and as exports of survey software."""
    cells = [(who, f"s{k}.wav", (k + n) % 7 + 1, (2 * k + n) % 7 + 1)
             for n, who in enumerate(["p1", "p2", "p3"]) for k in range(4)]  # fmt: skip
    table = pd.DataFrame(cells, columns=["participant", "file", "want to move", "pleasure"])
    objects = [(who, "survey-likert", file, json.dumps({"move": move, "like": like}))
               for who, file, move, like in cells]  # fmt: skip
    objects.insert(0, ("p1", "instructions", "<p>Welcome</p>", "null"))
    log = pd.DataFrame(objects, columns=["subject", "trial_type", "stimulus", "response"])
    grid = table.pivot(index="participant", columns="file", values="pleasure").reset_index()
    wordings = pd.DataFrame(
        [["Who?", *(f"How much? {k}" for k in range(4))], ['{"ImportId":"Q"}'] * 5],
        columns=grid.columns,
    )
    keys = table.assign(**{"Question Key": table["file"].str.removesuffix(".wav") + "_like"})
    keys = keys.rename(columns={"pleasure": "Response"})[
        ["participant", "Question Key", "Response"]
    ]
    for frame in (table, log, pd.concat([wordings, grid]), keys):
        yield frame.to_csv(index=False).encode()


def check_sheets(path, seeds):
    whole = list(exports())
    read = 0
    for seed in seeds:
        path.write_bytes(damage(whole[seed // 2 % 4], np.random.default_rng(seed)))
        try:
            sheet = read_sheet(path, ["s0", "s1", "s2", "s3"] if seed % 2 else None)
        except StudyError:
            continue
        read += 1
        assert np.isfinite(sheet.ratings["rating"]).all(), seed
        keys = [name for name in sheet.ratings if name != "rating"]
        assert not sheet.ratings.duplicated(keys).any(), seed
    assert 0 < read < len(seeds)


def test_some_damaged_sheets(tmp_path):
    check_sheets(tmp_path / "r.csv", range(100))


@pytest.mark.weekly
def test_many_damaged_sheets(tmp_path):
    check_sheets(tmp_path / "r.csv", range(2000))
