"""Paths that lead out of a study, names that are paths, and files with false sizes."""

import io
import os
import resource
import zipfile

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from groove_utils.study import archives, load_study, validate_study
from groove_utils.study.archives import read_arrays
from groove_utils.study.metadata import read_metadata
from groove_utils.study.text import is_file_name, is_label, is_line, plain_text

MIB = 2**20


def kinds(folder, **options):
    """Return kind, row and column of each problem."""
    return {(p.kind, p.row, p.column) for p in validate_study(folder, n_jobs=1, **options)}


def put(folder, file, row, column, value):
    table = pd.read_csv(folder / file, dtype=str)
    table.loc[row, column] = value
    table.to_csv(folder / file, index=False)


def edit_meta(folder, **changes):
    meta = yaml.safe_load((folder / "study.yml").read_text()) | changes
    (folder / "study.yml").write_text(yaml.safe_dump(meta, sort_keys=False))


# ---- paths ----


@pytest.mark.parametrize("way", ["up", "absolute", "link", "linked folder", "link to a link"])
def test_audio_outside_the_study_is_refused(make_study, tmp_path, way):
    folder = make_study()
    outside = tmp_path / "outside" / "private.flac"
    outside.parent.mkdir()
    outside.write_bytes((folder / "audio" / "song1.flac").read_bytes())
    named = {"up": "../outside/private.flac", "absolute": str(outside)}.get(way, "audio/x.flac")
    if way == "link":
        (folder / "audio" / "x.flac").symlink_to(outside)
    elif way == "linked folder":
        (folder / "other").symlink_to(outside.parent)
        named = "other/private.flac"
    elif way == "link to a link":
        (folder / "y.flac").symlink_to(outside)
        (folder / "audio" / "x.flac").symlink_to("../y.flac")
    put(folder, "tracks.csv", 1, "audio", named)
    assert kinds(folder) == {("outside_folder", 3, "audio")}
    assert kinds(folder, check_audio=False) == {("outside_folder", 3, "audio")}


def test_links_inside_a_study_and_a_linked_study_are_fine(make_study, tmp_path):
    folder = make_study()
    (folder / "audio" / "copy.flac").symlink_to("song1.flac")
    put(folder, "tracks.csv", 1, "audio", "audio/copy.flac")
    (tmp_path / "linked").symlink_to(folder)
    assert kinds(tmp_path / "linked") == set()


@pytest.mark.parametrize("value", ["audio/a\0b.flac", "audio/" + "x" * 300, "audio"])
def test_paths_that_no_file_can_have(make_study, value):
    folder = make_study()
    put(folder, "tracks.csv", 1, "audio", value)
    assert {kind for kind, _, _ in kinds(folder)} <= {"invalid_path", "not_a_file"}
    assert {row for _, row, _ in kinds(folder)} == {3}


@pytest.mark.parametrize(
    "file", ["tracks.csv", "ratings.csv", "listeners.csv", "study.yml", "descriptors.csv"]
)
def test_tables_are_regular_files_of_the_study(make_study, tmp_path, file):
    folder = make_study(audio=False)
    (folder / file).unlink(missing_ok=True)
    (tmp_path / "secret.csv").write_text("listener_id,track_id\nroot,root\n")
    (folder / file).symlink_to(tmp_path / "secret.csv")
    assert ("outside_folder", None, None) in kinds(folder)
    (folder / file).unlink()
    os.mkfifo(folder / file)  # reading a FIFO would never end
    assert ("not_a_file", None, None) in kinds(folder)
    (folder / file).unlink()
    (folder / file).mkdir()
    assert ("not_a_file", None, None) in kinds(folder)
    (folder / file).rmdir()
    (folder / file).symlink_to(
        file
    )  # a circular link, which Python 3.13 detects only when opening it
    refusals = {"invalid_path", "missing_file", "unreadable_file"}
    assert {kind for kind, _, _ in kinds(folder)} & refusals
    (folder / file).unlink()
    with (folder / file).open("wb") as large:
        large.truncate(300 * MIB)  # a sparse file of zeros
    assert ("too_large", None, None) in kinds(folder)


def test_a_truth_outside_the_study_is_refused(make_study, tmp_path):
    folder = make_study(audio=False, simulated=True)
    (tmp_path / "secret.csv").write_text("effect,value\n")
    (folder / "truth" / "songs.csv").symlink_to(tmp_path / "secret.csv")
    assert kinds(folder) == {("outside_folder", None, None)}


@pytest.mark.parametrize("place", ["stems", "stems/song1", "stems/song1/bass.flac"])
def test_stems_outside_the_study_are_refused(make_study, tmp_path, place):
    folder = make_study(stems=True)
    (folder / place).rename(tmp_path / "moved")
    (folder / place).symlink_to(tmp_path / "moved")
    assert {kind for kind, _, _ in kinds(folder)} == {"outside_folder"}


def test_semicolons_and_a_stated_separator_are_read(make_study):
    folder = make_study(audio=False)
    before = load_study(folder).ratings
    for first, mark in (("", ";"), ("", "\t"), ("sep=;\n", ";")):
        text = before.to_csv(index=False, sep=mark)
        (folder / "ratings.csv").write_text(first + text)
        assert kinds(folder) == set()
        pd.testing.assert_frame_equal(load_study(folder).ratings, before)
        (folder / "ratings.csv").write_text(first + text.replace("song0", "nothing", 1))
        assert ("unknown_name", 3 if first else 2, "track_id") in kinds(folder)


@pytest.mark.parametrize("file", ["tracks.csv", "ratings.csv", "listeners.csv"])
def test_a_column_twice_is_named(make_study, file):
    folder = make_study(audio=False)
    name, *rest = (folder / file).read_text().splitlines()
    lines = [f"{name}, {name.split(',')[1]}", *(f"{row},1" for row in rest)]
    (folder / file).write_text("\n".join(lines))
    assert ("duplicate_column", 1, name.split(",")[1]) in kinds(folder)


def test_columns_without_a_name_are_named_unless_empty(make_study):
    folder = make_study(audio=False)
    lines = (folder / "listeners.csv").read_text().splitlines()
    (folder / "listeners.csv").write_text("\n".join(f"{line}," for line in lines))
    assert kinds(folder) == set()
    assert list(load_study(folder).listeners) == ["listener_id", "age"]
    text = "\n".join([f"{lines[0]},", *(f"{line},x" for line in lines[1:])])
    (folder / "listeners.csv").write_text(text)
    assert kinds(folder) == {("unnamed_column", 1, None)}


def test_what_should_be_a_folder_and_stems_twice(make_study):
    folder = make_study(stems=True)
    (folder / "embeddings").write_text("x")
    assert kinds(folder) == {("not_a_folder", None, None)}
    (folder / "embeddings").unlink()
    stems = folder / "stems" / "song1"
    (stems / "bass.wav").write_bytes((stems / "bass.flac").read_bytes())
    assert kinds(folder) == {("several_files", None, None)}


# ---- names and texts ----


@pytest.mark.parametrize(
    "name", ["a/b", "../../outside", "a\\b", "..", "two\nlines", "nul\0", "x" * 300, "\u202egrowl"]
)
def test_ids_are_names_and_no_paths(make_study, name):
    folder = make_study(audio=False)
    for file in ("tracks.csv", "ratings.csv"):
        table = pd.read_csv(folder / file, dtype=str).replace("song1", name)
        table.to_csv(folder / file, index=False)
    assert not is_file_name(name)
    assert ("not_a_file_name", 3, "track_id") in kinds(folder)


@pytest.mark.parametrize("column", ["artist", "style", "title"])
def test_texts_are_single_lines(make_study, column):
    folder = make_study(audio=False)
    put(folder, "tracks.csv", 0, column, "one\nanother")
    assert kinds(folder) == {("not_a_label" if column == "style" else "not_one_line", 2, column)}


def test_spaces_and_accents_make_no_second_artist_or_listener(make_study):
    folder = make_study(audio=False)
    put(folder, "tracks.csv", 0, "artist", " band  0 ")
    put(folder, "tracks.csv", 1, "style", "po\u0301p")  # a letter and a combining accent
    put(folder, "tracks.csv", 2, "style", "p\u00f3p")
    put(folder, "ratings.csv", 0, "listener_id", "L0\u00a0")
    put(folder, "ratings.csv", 1, "query", "listen ")
    assert kinds(folder) == set()
    study = load_study(folder)
    assert study.tracks["artist"].nunique() == 4
    assert study.tracks["style"][1] == study.tracks["style"][2] == "p\u00f3p"
    assert study.ratings["listener_id"].nunique() == 5
    assert set(study.ratings["query"]) == {"dance", "listen"}


def test_a_name_that_becomes_another_is_told(make_study):
    folder = make_study(audio=False)
    put(folder, "tracks.csv", 1, "track_id", "song0 ")
    assert ("duplicate", 3, "track_id") in kinds(folder)


def test_files_from_a_mac_are_found(make_study):
    folder = make_study(names=("cafe\u0301", *(f"s{k}" for k in range(7))))
    study = load_study(folder)
    assert study.tracks["track_id"][0] == "caf\u00e9"
    assert kinds(folder) == set()
    assert len(study.load("caf\u00e9")[0]) == 4000


def test_what_counts_as_a_line_and_a_label():
    assert is_line("R&B, 1–7 <slow> \u202d".strip("\u202d "))
    assert not is_line("a\u2028b")
    assert is_label("wants to move? (1 = not at all, 7 = very much)")
    assert is_label("2 < 3 > 1 $ * # : | _x_")
    for markup in ("`x`", "{x}", "\\", "<b>", "</b>", "<!--", "[x](y)"):
        assert not is_label(markup)
    assert plain_text("a \t b\u00a0") == "a b"


# ---- study.yml ----

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join(['*' + chr(97 + k)] * 9)}]\n" for k in range(8)
)
META = {
    "an alias bomb": (BOMB + "title: *i\n", {("invalid_line", 2, None)}),
    "a key twice": ("title: a\ntitle: b\n", {("invalid_line", 2, None)}),
    "a question twice": (
        "title: a\nscale: [1, 7]\nqueries:\n  dance: x\n  dance: y\n",
        {("invalid_line", 5, None)},
    ),
    "deep nesting": ("[" * 100_000, {("unreadable_file", None, None)}),
    "an object": ("title: !!python/name:os.system\n", {("invalid_line", 1, None)}),
    "a long file": ("#" * (2 * MIB), {("too_large", None, None)}),
}
CHANGES = {
    "an unknown key": ({"scales": [1, 7]}, ("unknown_key", "scales")),
    "another spelling": ({"license": "CC0"}, ("unknown_key", "license")),
    "a list as title": ({"title": ["a", "b"]}, ("not_a_string", "title")),
    "two lines as title": ({"title": "a\nb"}, ("not_one_line", "title")),
    "a mapping as licence": ({"licence": {"a": 1}}, ("not_a_string", "licence")),
    "simulated by a word": ({"simulated": "maybe"}, ("not_a_boolean", "simulated")),
    "a text as scale": ({"scale": "1-100"}, ("invalid_scale", "scale")),
    "texts in the scale": ({"scale": ["1", "100"]}, ("invalid_scale", "scale")),
    "one end": ({"scale": [1]}, ("invalid_scale", "scale")),
    "a reversed scale": ({"scale": [100, 1]}, ("invalid_scale", "scale")),
    "an infinite scale": ({"scale": [1, float("inf")]}, ("invalid_scale", "scale")),
    "an overflowing scale": ({"scale": [-1e300, 1e300]}, ("invalid_scale", "scale")),
    "truth values": ({"scale": [False, True]}, ("invalid_scale", "scale")),
    "a list of questions": ({"queries": ["dance", "listen"]}, ("invalid_queries", "queries")),
    "controls in a list": ({"controls": ["dance"]}, ("invalid_controls", "controls")),
    "a control that was not asked": (
        {"controls": {"luck": "none"}}, ("invalid_controls", "controls")
    ),
    "a control with another cause": (
        {"controls": {"dance": "sound"}}, ("invalid_controls", "controls")
    ),
    "nothing but controls": (
        {"controls": {"dance": "none", "listen": "style"}}, ("invalid_controls", "controls")
    ),
    "a wording that is a list": (
        {"queries": {"dance": ["a"], "listen": "b"}}, ("missing_wording", "queries")
    ),
    "an unknown key of a question": (
        {"queries": {"dance": {"wording": "a", "scal": [1, 7]}, "listen": "b"}},
        ("unknown_key", "dance"),
    ),
    "a style that is a number": ({"styles": [1980]}, ("not_a_label", "styles")),
}  # fmt: skip


@pytest.mark.parametrize("case", META)
def test_what_no_study_yml_may_hold(make_study, case):
    folder = make_study(audio=False)
    (folder / "study.yml").write_text(META[case][0])
    assert kinds(folder) == META[case][1]


@pytest.mark.parametrize("case", CHANGES)
def test_wrong_settings_of_study_yml_are_named(make_study, case):
    folder = make_study(audio=False)
    change, expected = CHANGES[case]
    edit_meta(folder, **change)
    problems = validate_study(folder, check_audio=False)
    assert [(p.kind, p.column) for p in problems] == [expected]
    assert len(str(problems[0])) < 500


def test_yes_and_no_are_words_or_truth_values_by_their_place(make_study):
    folder = make_study(audio=False)
    text = (folder / "study.yml").read_text()
    text = text.replace("dance:", "yes:").replace("simulated: false", "simulated: no")
    (folder / "study.yml").write_text(text)
    ratings = pd.read_csv(folder / "ratings.csv").replace("dance", "yes")
    ratings.to_csv(folder / "ratings.csv", index=False)
    assert kinds(folder) == set()
    assert list(load_study(folder).queries) == ["yes", "listen"]
    for word, expected in [("'no'", False), ("off", False), ("Yes", True), ("true", True)]:
        (folder / "study.yml").write_text(text.replace("simulated: no", f"simulated: {word}"))
        assert read_metadata(folder)["simulated"] is expected


# ---- descriptors and vectors ----


def write_descriptors(folder, **columns):
    table = pd.DataFrame({"track_id": [f"song{k}" for k in range(8)], "rms": np.arange(8) / 8})
    table.assign(**columns).to_csv(folder / "descriptors.csv", index=False)


SONGS = [f"song{k}" for k in range(8)]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"rms": [0.1, None, *range(6)]}, set()),
        ({"tempo": ["fast", *range(7)]}, {("not_a_number", 2, "tempo")}),
        ({"tempo": [float("inf"), *range(7)]}, {("not_a_number", 2, "tempo")}),
        ({"track_id": ["song1", *SONGS[1:]]}, {("duplicate", 3, "track_id")}),
        ({"track_id": ["else", *SONGS[1:]]}, {("unknown_name", 2, "track_id")}),
        ({"{download}`x`": 1}, {("not_a_label", 1, "{download}`x`")}),
    ],
)
def test_descriptors_are_checked(make_study, columns, expected):
    folder = make_study(audio=False)
    write_descriptors(folder, **columns)
    assert kinds(folder) == expected


@pytest.mark.parametrize("file", ["descriptors.csv", "listeners.csv", "tracks.csv", "ratings.csv"])
def test_no_cells_beyond_the_header_are_lost(make_study, file):
    folder = make_study(audio=False)
    descriptors = "track_id,rms\n" + "".join(f"song{k},{k},0.5\n" for k in range(8))
    (folder / "descriptors.csv").write_text(descriptors)
    if file != "descriptors.csv":
        (folder / "descriptors.csv").unlink()
        head, *rows = (folder / file).read_text().splitlines()
        (folder / file).write_text("\n".join([head, *(f"{row},x" for row in rows)]))
    assert ("long_rows", None, None) in kinds(folder)


def test_descriptors_need_ids_and_columns(make_study):
    folder = make_study(audio=False)
    (folder / "descriptors.csv").write_text("song,rms\nsong0,1\n")
    assert {kind for kind, _, _ in kinds(folder)} == {"missing_column", "not_a_number"}
    (folder / "descriptors.csv").write_text("track_id\nsong0\n")
    assert kinds(folder) == {("empty_table", None, None)}
    (folder / "descriptors.csv").write_text("track_id,rms,rms\nsong0,1,2\n")
    assert kinds(folder) == {("duplicate_column", 1, "rms")}


@pytest.fixture
def with_vectors(make_study):
    """Study with one model's vectors of the mixes and of one sum of stems."""
    folder = make_study(audio=False)
    rng = np.random.default_rng(3)
    for place in ("embeddings/m", "embeddings/m/drums+bass"):
        (folder / place).mkdir(parents=True)
        for song in SONGS:
            np.savez(folder / place / f"{song}.npz", layer=rng.normal(size=(3, 4)), song_id=song)
    return folder


def claim(path, shape):
    """Write an archive with an array whose header states a wrong shape."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        content, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("layer.npy", content.getvalue() + bytes(32))


def zeros(path, n_bytes):
    """Write an archive that unpacks to many zeros."""
    shape = (n_bytes // 8,)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("layer.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(n_bytes // MIB):
            member.write(bytes(MIB))


VECTORS = {
    "text": (lambda path: path.write_text("no"), "damaged_vectors"),
    "NaN": (lambda path: np.savez(path, layer=np.full(4, np.nan)), "damaged_vectors"),
    "infinite as float32": (
        lambda path: np.savez(path, layer=[1e300]),
        "damaged_vectors",
    ),
    "three dimensions": (lambda path: np.savez(path, layer=np.ones((2, 2, 4))), "damaged_vectors"),
    "objects": (lambda path: np.savez(path, layer=np.array([{}])), "damaged_vectors"),
    "no numbers": (lambda path: np.savez(path, song_id="a"), "damaged_vectors"),
    "other dimensions": (lambda path: np.savez(path, layer=np.ones(5)), "other_layers"),
    "other layers": (lambda path: np.savez(path, other=np.ones(4)), "other_layers"),
    "36 TiB claimed": (lambda path: claim(path, (36 << 37,)), "damaged_vectors"),
    "too large to count": (lambda path: claim(path, (1 << 62, 1 << 62)), "damaged_vectors"),
    "zeros": (lambda path: zeros(path, 4 * MIB), "damaged_vectors"),
    "no file": (lambda path: path.unlink(), "missing_vectors"),
}


@pytest.mark.parametrize("case", VECTORS)
def test_vectors_are_checked(with_vectors, case, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST", 2 * MIB)
    assert kinds(with_vectors) == set()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spoil, kind = VECTORS[case]
    spoil(with_vectors / "embeddings" / "m" / "song3.npz")
    assert {k for k, _, _ in kinds(with_vectors)} == {kind}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB


def test_an_archive_that_is_too_large_is_refused_with_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST", 2 * MIB)
    zeros(tmp_path / "song.npz", 4 * MIB)
    with pytest.raises(ValueError, match=r"^unpacks to 4,194"):
        archives.read_arrays(tmp_path / "song.npz")


def test_models_and_stems_are_names(with_vectors, tmp_path):
    models = with_vectors / "embeddings"
    (models / "m" / "drums+bass").rename(models / "m" / "kazoo")
    assert kinds(with_vectors) == {("unknown_stem", None, None)}
    (models / "m" / "kazoo").rename(models / "m" / "bass")
    (models / "m" / "song1.npz").rename(models / "m" / "songx.npz")
    assert kinds(with_vectors) == {
        ("unknown_vectors", None, None), ("missing_vectors", None, None)
    }  # fmt: skip
    (models / "m").rename(models / "{ref}`x`")
    assert kinds(with_vectors) == {("not_a_label", None, "embeddings")}
    (models / "{ref}`x`").rename(tmp_path / "m")
    (models / "m").symlink_to(tmp_path / "m")
    assert kinds(with_vectors) == {("outside_folder", None, None)}


def test_vectors_outside_a_model_are_named(with_vectors):
    path = next((with_vectors / "embeddings" / "m").glob("*.npz"))
    path.rename(with_vectors / "embeddings" / path.name)
    assert ("no_model", None, None) in kinds(with_vectors)


def test_single_facts_are_no_vectors(tmp_path):
    facts = {"song_id": "x", "n": 3, "rate": np.float32(2)}
    np.savez(tmp_path / "a.npz", layer=np.arange(3.0), whole=np.arange(3), **facts)
    assert sorted(read_arrays(tmp_path / "a.npz")) == ["layer", "rate", "whole"]


def test_one_sound_under_two_names_must_not_be_in_two_folds(make_study):
    folder = make_study()
    sounds = folder / "audio"
    y, sr = soundfile.read(sounds / "song1.flac")
    soundfile.write(sounds / "song6.flac", y, sr)  # band 2, not band 1
    soundfile.write(sounds / "song5.flac", y, sr)  # also band 1, so always in the same fold
    (found,) = validate_study(folder, n_jobs=1)
    assert (found.kind, found.row) == ("repeated_audio", 8)
    assert found.details["other"] == "audio/song1.flac"


def test_a_constant_and_a_single_sample_are_silence(make_study):
    folder = make_study()
    soundfile.write(folder / "audio" / "song1.flac", np.full(4000, 0.5), 8000)
    soundfile.write(folder / "audio" / "song2.flac", np.full(1, 0.5), 8000)
    assert {("silent_audio", 3, "audio"), ("silent_audio", 4, "audio")} == kinds(folder)


def test_channels_that_cancel_each_other_are_no_silence(make_study):
    folder = make_study()
    y = 0.3 * np.sin(np.arange(8000) / 20)
    noise = 1e-4 * np.random.default_rng(0).standard_normal(8000)
    cancelled, wide, near = [y, -y], [y, 0 * y], [y, noise - y]
    for k, channels in enumerate([cancelled, wide, near], 1):
        soundfile.write(folder / "audio" / f"song{k}.flac", np.transpose(channels), 8000)
    assert {("cancelled_audio", 3, "audio"), ("cancelled_audio", 5, "audio")} == kinds(folder)
