"""The genre corpus: figures of styles, differences between styles, stems, onsets and files."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from expect import raises

from groove_utils.errors import DetailedError
from groove_utils.study.stem_names import STEMS
from groove_utils.synth.arrangement import DRUM_KEYS, TONES
from groove_utils.synth.genre_bands import ROLES, draw_genre_band
from groove_utils.synth.genre_composition import compose_genre_song
from groove_utils.synth.genre_corpus import (
    GENRE_TREE,
    GENRES,
    list_causes,
    make_genre_corpus,
    render_genre_song,
)
from groove_utils.synth.genre_rendering import active_level
from groove_utils.synth.genre_styles import check_figure, parse_progression, style_sheet
from groove_utils.synth.score import LEAD_IN
from groove_utils.synth.soundfont import load_soundfont


@pytest.fixture(scope="module")
def causes():
    """Return the causes of many songs without rendering audio."""
    songs = [compose_genre_song(s, band, 0) for s in GENRES for band in range(24)]
    return pd.DataFrame({"style": s.band.style, **list_causes(s, group)} for s, group in songs)


@pytest.mark.parametrize("style", GENRES)
def test_every_figure_is_one_bar_and_every_name_is_known(style):
    sheet = style_sheet(style)
    for figure in sheet["drums"]:
        assert set(figure) <= set(DRUM_KEYS)
        assert all(set(check_figure(text)) <= set(".oxX") for text in figure.values())
    letters = {"bass": ".roftsa", "chords": ".ox1234", "second": ".ox1234"}
    for role, known in letters.items():
        assert all(set(check_figure(str(f))) <= set(known) for f in sheet[role]["figures"])
    assert all(set(check_figure(p)) <= set(".x") for p in sheet["lead"]["phrases"])
    kinds = {kind for text in sheet["harmony"] for _, kind in parse_progression(text)}
    assert kinds <= set(TONES)
    assert set(sheet["relatives"]) <= set(GENRES) - {style}
    assert sum(sheet["relatives"].values()) <= 1
    presets, zones, _ = load_soundfont()
    for role, chances in sheet["instruments"].items():
        assert sum(chances.values()) == pytest.approx(1)
        for program in chances:
            zone = zones[128 if role == "kit" else 0, program]
            keys = set().union(*(range(z["keys"][0], z["keys"][1] + 1) for z in zone))
            needed = DRUM_KEYS.values() if role == "kit" else range(28, 97)
            assert set(needed) <= keys, presets[128 if role == "kit" else 0, program]


def test_the_tree_leads_from_every_style_to_the_root():
    for style in GENRES:
        path = [style]
        while path[-1] in GENRE_TREE:
            path.append(GENRE_TREE[path[-1]])
            assert len(path) <= 4
        assert len(path) >= 2


def test_styles_differ_as_real_ones_do(causes):
    mean = causes.groupby("style").mean(numeric_only=True)
    assert mean["tempo"].idxmax() == "techno"
    assert set(mean["tempo"].nsmallest(2).index) == {"bossa-nova", "reggae"}
    assert mean["swing_ratio"].idxmax() in {"hip-hop", "reggae"}
    assert mean["backbeat"].idxmin() == "bossa-nova"
    assert mean["loudness"].idxmin() == "bossa-nova"
    assert mean.loc["funk", "syncopation"] > mean.loc["rock", "syncopation"]


def test_styles_overlap_and_some_bands_are_crossovers(causes):
    tempo = causes.groupby("style")["tempo"]
    assert tempo.max()["funk"] > tempo.min()["disco"]
    assert tempo.max()["pop"] > tempo.min()["techno"]
    share = (causes["crossover"] != "").mean()
    expected = np.mean([sum(style_sheet(s)["relatives"].values()) for s in GENRES])
    assert share == pytest.approx(expected, abs=0.12)
    assert not causes.loc[causes["crossover"] == "", "borrowed"].any()


def test_songs_of_a_band_share_its_sound_and_depend_on_nothing_else():
    first, second = draw_genre_band("funk", 2), draw_genre_band("funk", 2)
    assert first == second
    assert set(first.sources) == set(ROLES)
    one, two = (compose_genre_song("funk", 2, song)[0] for song in (0, 1))
    assert one.band == two.band
    assert one.notes != two.notes
    assert draw_genre_band("funk", 2, seed=1) != first
    assert draw_genre_band("funk", 3).band.parts != first.band.parts


@pytest.mark.parametrize("style", GENRES)
def test_the_notes_are_the_same_at_every_tempo(style):
    tempi = 80.0, 160.0
    slow, fast = (compose_genre_song(style, 1, 0, tempo=tempo)[0] for tempo in tempi)
    assert (slow.tempo, fast.tempo) == tempi

    def table(song):
        keys = ["part", "bar", "step", "pitch"]
        return pd.DataFrame(song.notes).sort_values([*keys, "time"]).set_index(keys)

    one, two = table(slow), table(fast)
    assert one.index.equals(two.index)
    np.testing.assert_array_equal(one["velocity"], two["velocity"])
    beats = one["time"] - LEAD_IN, two["time"] - LEAD_IN
    ratio = np.polyfit(*beats[::-1], 1)[0]
    assert ratio == pytest.approx(2, abs=0.01)
    assert np.abs(beats[0] - 2 * beats[1]).max() < 0.1  # timing in milliseconds does not change


@pytest.mark.parametrize("style", ["disco", "bossa-nova"])
def test_stems_sum_to_the_mix_and_notes_sound_at_their_onsets(style):
    song = render_genre_song(style, 1, 0, seconds=4)
    assert set(song.stems) == set(STEMS)
    assert song.mix.dtype == np.float32
    assert song.mix.shape == (4 * 22050,)
    np.testing.assert_array_equal(song.mix, sum(song.stems.values()))
    assert 0.05 < np.abs(song.mix).max() < 1
    again = render_genre_song(style, 1, 0, seconds=4)
    np.testing.assert_array_equal(song.mix, again.mix)
    assert song.onsets["time"].between(0, 4).all()
    # a bass note is louder after its onset than before the first note
    bass, first = song.stems["bass"], song.onsets.query("stem == 'bass'")["time"].min()
    at = round(first * 22050)
    assert np.abs(bass[: at - 300]).max(initial=0) < 0.05 * np.abs(bass[at : at + 4000]).max()


def test_rests_do_not_make_a_part_louder():
    y = np.sin(np.arange(4000) * 0.3)
    level = active_level(np.concatenate([y, np.zeros(40000)]))
    assert level == pytest.approx(active_level(y))
    assert level == pytest.approx(np.sqrt(0.5), rel=0.02)


def test_a_corpus_is_resumed_and_does_not_depend_on_the_number_of_processes(tmp_path):
    sizes = {"n_bands": 1, "songs_per_band": 1, "seconds": 1, "progress": False}
    make_genre_corpus(tmp_path / "a", **sizes, n_jobs=1)
    songs = pd.read_csv(tmp_path / "a" / "songs.csv")
    assert list(songs["style"]) == list(GENRES)
    y, sr = soundfile.read(tmp_path / "a" / songs["audio"][0])
    assert (y.shape, sr) == ((22050,), 22050)
    rendered = render_genre_song(GENRES[0], 0, 0, seconds=1).mix
    np.testing.assert_allclose(y, rendered, atol=1.1 / 32768)

    kept, lost = (tmp_path / "a" / songs["audio"][i] for i in (0, 1))
    before, content = kept.stat().st_mtime_ns, lost.read_bytes()
    lost.unlink()
    make_genre_corpus(tmp_path / "a", **sizes, n_jobs=2)
    assert kept.stat().st_mtime_ns == before
    assert lost.read_bytes() == content

    make_genre_corpus(tmp_path / "a", **{**sizes, "seconds": 1.5}, n_jobs=1)
    assert soundfile.info(kept).duration == 1.5


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: render_genre_song("polka", 0, 0), "unknown_style"),
        (lambda: render_genre_song("funk", -1, 0), "out_of_range"),
        (lambda: render_genre_song("funk", 0, 0, seconds=0), "out_of_range"),
        (lambda: render_genre_song("funk", 0, 0, sr=96000), "out_of_range"),
        (lambda: render_genre_song("funk", 0, 0, tempo=200), "out_of_range"),
        (lambda: make_genre_corpus("x", n_bands=0), "out_of_range"),
        (lambda: check_figure("x..x"), "wrong_length"),
    ],
)
def test_unusable_settings_are_errors(call, kind):
    with raises(DetailedError, kind):
        call()
