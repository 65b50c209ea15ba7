"""Outputs of a chapter: numbers, sentences, figures, tables and sounds."""

import html
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from expect import raises
from PIL import Image

from groove_utils.audio import load_audio, measure_loudness
from groove_utils.book import (
    audio_player,
    report_counts,
    report_effects,
    report_percentages,
    report_texts,
    report_value,
    report_values,
    show_figure,
    show_table,
)
from groove_utils.book.errors import BookError
from groove_utils.book.outputs import format_value

ALT = "A line that rises from left to right."


@pytest.mark.parametrize(
    ("value", "options", "text", "full"),
    [
        (0.456, {}, "0.46", "0.46"),
        (-0.456, {}, "−0.46", "−0.46"),
        (-0.001, {}, "0.00", "0.00"),
        (-1e-7, {"fmt": ".1e"}, "−1.0e−07", "−1.0e−07"),
        (12345, {"fmt": ",.0f", "n": 12345}, "12,345", "12,345 (n = 12,345)"),
        (0.5, {"ci": (-0.1, 0.9)}, "0.50", "0.50 (95% CI −0.10 to 0.90)"),
        (0.5, {"ci": (0.1, 0.9), "n": 8}, "0.50", "0.50 (95% CI 0.10 to 0.90, n = 8)"),
        (110, {"fmt": ".0f", "unit": " bpm (half-time)"}, "110 bpm (half-time)", None),
        (np.float32(0.25), {"fmt": ".0%"}, "25%", "25%"),
        (0.9996, {"fmt": ".1%"}, ">99.9%", None),
        (
            99.98,
            {"fmt": ".0f", "unit": "%", "ci": (99.2, 100.0)},
            ">99%",
            ">99% (95% CI 99 to 100)",
        ),
        (100.0, {"fmt": ".0f", "unit": "%", "ci": (99.6, 104)}, "100%", "100% (95% CI >99 to 104)"),
        (99.98, {"fmt": ".0f"}, "100", "100"),
    ],
)
def test_how_numbers_are_written(value, options, text, full):
    assert format_value(value, **options) == {"text": text, "full": full or text}


def test_a_value_is_glued_and_recorded(in_book, shown):
    chapter = in_book()
    report_value("r2_mean", np.float64(0.456), ci=(0.4, 0.5), n=96, tolerance=0.1)
    assert chapter.reported["r2_mean"] == {
        "value": 0.456,
        "low": 0.4,
        "high": 0.5,
        "n": 96,
        "tolerance": 0.1,
        "text": "0.46",
        "full": "0.46 (95% CI 0.40 to 0.50, n = 96)",
    }
    # myst-nb uses this MIME type, and the name under `scrapbook`
    assert [output for output, _ in shown] == [
        {"application/papermill.record/text/plain": "'0.46'"},
        {"application/papermill.record/text/plain": "'0.46 (95% CI 0.40 to 0.50, n = 96)'"},
    ]
    assert [metadata["scrapbook"]["name"] for _, metadata in shown] == ["r2_mean", "r2_mean_full"]
    assert {metadata["scrapbook"]["mime_prefix"] for _, metadata in shown} == {
        "application/papermill.record/"
    }
    report_texts(verdict="more")
    assert chapter.reported["verdict"] == {"text": "more", "full": "more"}
    assert shown[-1][0] == {"application/papermill.record/text/plain": "'more'"}


def test_rows_of_a_table_are_reported_with_their_intervals(in_book, shown):
    chapter = in_book()
    row = pd.Series({"model": "m", "gain": 0.25, "low": -0.1, "high": 0.6})
    report_effects({"gain": row}, 48, value="gain", scale=100, fmt=".0f", unit=" points")
    assert chapter.reported["gain"]["full"] == "25 points (95% CI −10 to 60, n = 48)"
    report_effects({"bare": row.replace({-0.1: np.nan})}, value="gain")
    assert chapter.reported["bare"]["full"] == "0.25"


def test_a_table_is_reported_by_its_index_with_verdicts(in_book, shown):
    chapter = in_book()
    rows = {
        "tagger + linear": {"gain": 0.2, "low": 0.1, "high": 0.3, "p_holm": 0.01, "songs": 48},
        "mel-cnn": {"gain": -0.2, "low": -0.3, "high": -0.1, "p_holm": 0.2, "songs": 46},
        ("Drums", "R² of 1"): {"gain": 0.7, "low": 0.6, "high": 0.8, "p_holm": 0.04, "songs": 47},
    }
    table = pd.DataFrame(list(rows.values()), index=pd.Index(rows, tupleize_cols=False))
    table["songs"] = table["songs"].astype("Int64")
    words = "better", "worse", "not clearly different"
    report_effects(table, "songs", prefix="gain_", value="gain", words=words, p="p_holm")
    reported = {name: entry["full"] for name, entry in chapter.reported.items()}
    assert reported == {
        "gain_tagger_linear": "0.20 (95% CI 0.10 to 0.30, n = 48)",
        "gain_tagger_linear_verdict": "better",
        "gain_mel-cnn": "−0.20 (95% CI −0.30 to −0.10, n = 46)",
        "gain_mel-cnn_verdict": "not clearly different",
        "gain_drums_r_of_1": "0.70 (95% CI 0.60 to 0.80, n = 47)",
        "gain_drums_r_of_1_verdict": "better",
    }


def test_verdicts_vary_between_machines_if_their_numbers_do(in_book, shown):
    chapter = in_book()
    rows, words = {"x": {"estimate": 0.3, "low": 0.1, "high": 0.5}}, ("yes", "no", "unclear")
    report_effects(rows, words=words)
    report_effects({"y": rows["x"]}, words=words, tolerance=0.2)
    report_texts(varies=True, best="a")
    varies = {name: entry.get("varies") for name, entry in chapter.reported.items()}
    assert varies == {
        "x": None, "x_verdict": None, "y": None, "y_verdict": list(words), "best": True
    }  # fmt: skip


def test_verdicts_of_a_table_refer_to_a_value(in_book, shown):
    chapter = in_book()
    rows = {"auc": {"estimate": 0.7, "low": 0.4, "high": 0.8}}
    report_effects(rows, words=("yes", "no", "unclear"), reference=0.5)
    assert chapter.reported["auc_verdict"]["text"] == "unclear"


def test_intervals_may_have_other_columns(in_book, shown):
    chapter = in_book()
    table = pd.DataFrame({"rho": [0.1], "low": [-9], "from": [0.05], "to": [0.3]}, index=["a"])
    words = "above", "below", "unclear"
    report_effects(table, value="rho", interval=("from", "to"), words=words)
    assert chapter.reported["a"]["full"] == "0.10 (95% CI 0.05 to 0.30)"
    assert chapter.reported["a_verdict"]["text"] == "above"


def test_several_numbers_at_once(in_book, shown):
    chapter = in_book()
    medians = pd.Series([0.25, 0.5], index=["as published", "bass–drum"])
    report_values(medians.add_prefix("median_"), 5, fmt=".1f")
    assert chapter.reported["median_as_published"]["full"] == "0.2 (n = 5)"
    assert chapter.reported["median_bass_drum"]["value"] == 0.5


def test_several_counts_and_texts_at_once(in_book, shown):
    chapter = in_book()
    report_counts(songs=np.int64(144), bands=48)
    report_texts(model="mtt-vgg", word="found")
    texts = {name: entry["text"] for name, entry in chapter.reported.items()}
    assert texts == {"songs": "144", "bands": "48", "model": "mtt-vgg", "word": "found"}


def test_several_percentages_at_once(in_book, shown):
    chapter = in_book()
    report_percentages({"right": 0.75, "guess": np.float64(0.125)}, 48, tolerance=10)
    assert chapter.reported["right"]["full"] == "75% (n = 48)"
    assert chapter.reported["guess"]["value"] == 12.5
    assert chapter.reported["guess"]["tolerance"] == 10


@pytest.mark.parametrize("value", [float("nan"), np.nan, float("inf"), "3", None, pd.NA])
def test_what_is_no_number_is_refused(in_book, value):
    chapter = in_book()
    with raises(BookError, "not_finite", column="x"):
        report_value("x", value)
    with raises(BookError, "not_finite", column="x"):
        report_value("x", 1.0, ci=(0.1, np.nan))
    assert chapter.reported == {}


@pytest.mark.parametrize("name", ["R2", "1st", "a b", "", "a.b", "ä"])
def test_names_are_checked(in_book, name):
    in_book()
    with raises(BookError, "invalid_name"):
        report_value(name, 1)
    with raises(BookError, "invalid_name"):
        show_table(pd.DataFrame({"a": [1]}), name, "Caption")
    with raises(BookError, "invalid_name"):
        show_figure(plt.figure(), name, "Caption", ALT)
    plt.close("all")


def test_names_are_used_once(in_book):
    in_book()
    report_value("x", 1)
    with raises(BookError, "taken_name", value="x"):
        report_texts(x="one")
    show_table(pd.DataFrame({"a": [1]}), "x", "Caption")
    with raises(BookError, "taken_name"):
        show_table(pd.DataFrame({"a": [1]}), "x", "Caption")


@pytest.mark.parametrize("names", [("x", "x_full"), ("x_full", "x")])
def test_a_name_is_not_another_with_its_interval(in_book, names):
    chapter = in_book()
    report_value(names[0], 1)
    report_value("x_full_moon", 2)
    with raises(BookError, "taken_name", value="x_full"):
        report_value(names[1], 3)
    with raises(BookError, "taken_name", value="x_full"):
        report_texts(**{names[1]: "three"})
    assert list(chapter.reported) == [names[0], "x_full_moon"]


def test_at_home_nothing_is_recorded_or_written(at_home, shown, tmp_path):
    report_value("x", 1)
    report_value("x", 2)  # a cell may be run again
    report_texts(t="text")
    assert at_home.reported == {}
    assert [text.data for text, _ in shown] == ["`x`: 1.00", "`x`: 2.00", "`t`: text"]
    figure = plt.figure()
    show_figure(figure, "f", "Caption", ALT)
    assert shown[3][0] is figure
    assert not (tmp_path / "build").exists()
    with raises(BookError, "not_finite", column="x"):
        report_value("x", float("nan"))


def test_long_texts_leave_room_for_the_plot(in_book, shown):
    chapter = in_book()
    title = "x" * 1000
    figure, axes = plt.subplots(figsize=(4, 3))
    axes.plot([1, 2], label=title)
    axes.set_yticks([1, 2], [title, "b"])
    axes.set_title(title)
    figure.legend()
    show_figure(figure, "long", "A line.", ALT)
    figure = plt.figure(figsize=(1, 200))  # thousands of rows
    show_figure(figure, "tall", "A line.", ALT)
    long, tall = (
        Image.open(chapter.build / "book" / "figures" / f"01-one-{name}.webp").size
        for name in ("long", "tall")
    )
    assert long[0] < 3000
    assert 14000 < tall[1] <= 16383


def test_a_figure_has_caption_label_alt_and_table(in_book, shown):
    chapter = in_book()
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    table = pd.DataFrame({"x": [1, 2], "y": [3.5, 4.5]})
    show_figure(figure, "lines", "Two points.", f"{ALT[:-1]}\n over two rows.", table)
    text = shown[0][0].data
    fence = text.split("{")[0]
    assert re.fullmatch("`{4}|~{4}", fence)
    assert text[len(fence) :].startswith("{figure} figures/01-one-lines.webp\n")
    assert "\n:name: fig-lines\n" in text
    assert ":alt: A line that rises from left to right over two rows.\n" in text
    assert "Two points. {download}`The plotted numbers <figures/01-one-lines.csv>`." in text
    assert "Simulated" not in text
    folder = chapter.build / "book" / "figures"
    assert plt.imread(folder / "01-one-lines.webp").shape[0] > 300
    assert plt.imread(folder / "01-one-lines.dark.webp")[0, 0, :3].max() < 50
    pd.testing.assert_frame_equal(pd.read_csv(folder / "01-one-lines.csv"), table)
    assert not plt.fignum_exists(figure.number)
    with raises(BookError, "taken_name"):
        show_figure(plt.figure(), "lines", "Again.", ALT)
    plt.close("all")


@pytest.mark.parametrize("alt", ["", "Figure", "A plot of ratings"])
def test_alt_text_is_required(in_book, alt):
    in_book()
    with raises(BookError, "alt_text", value=alt):
        show_figure(plt.figure(), "f", "Caption", alt)
    plt.close("all")


def test_simulated_studies_are_named_so(in_book, shown):
    in_book(simulated=True)
    show_figure(plt.figure(), "f", "Ratings.", ALT)
    show_table(pd.DataFrame({"a": [1]}), "t", "Ratings.")
    assert all("Ratings. Simulated study." in what.data for what, _ in shown)


def test_tables_are_markdown_with_safe_cells(in_book, shown):
    in_book()
    frame = pd.DataFrame(
        {
            "a|b": ["x|y", "two\nlines", None],
            "score": [-1.234, np.nan, -0.001],
            "tempo_ms": [1.0, 2.0, 3.0],
            "p_holm": [0.5, 0.04, 1.0],
            "count": [-3, 4, 5],
            "on": [True, False, True],
        },
        index=pd.Index(["one", "two", "three"], name="song"),
    )
    show_table(frame, "t", "Caption here.")
    lines = shown[0][0].data.splitlines()
    fence = lines[0].split("{")[0]
    assert re.fullmatch("`{4}|~{4}", fence)
    assert lines[0] == fence + "{table} Caption here."
    assert ":name: tab-t" in lines
    table = [line for line in lines if line.startswith("|")]
    assert table == [
        "| song | a&#124;b | score | tempo (ms) | p (Holm) | count | on |",
        "|:---|:---|---:|---:|---:|---:|---:|",
        "| one | x&#124;y | −1.23 | 1.00 | .500 | −3 | yes |",
        "| two | two lines | – | 2.00 | .040 | 4 | no |",
        "| three | – | 0.00 | 3.00 | 1.000 | 5 | yes |",
    ]
    assert lines[-1] == fence


def test_players_show_labels_and_matched_files(in_book, shown):
    chapter = in_book(stems=True)
    t = np.arange(8000 * 3) / 8000
    loud = (0.9 * np.sin(2 * np.pi * 300 * t)).astype("f4")
    sounds = {
        'A <b>band</b> & "co"': chapter.study.audio_path("song1"),
        "loud": (loud, 8000),
        "quiet, stereo": (np.stack([loud, loud]) / 50, 8000),
    }
    audio_player(sounds)
    page = shown[0][0].data
    labels = re.findall(r'aria-label="(.*?)" src', page)
    assert [html.unescape(label) for label in labels] == list(sounds)
    assert "<b>" not in page
    assert "<b>" not in page
    assert "base64" not in page
    files = re.findall(r'src="(_static/audio/[0-9a-f]{20}\.mp3)"', page)
    assert len(set(files)) == 3
    for file in files[1:]:
        y, sr = load_audio(chapter.build / "book" / file, mono=False)
        assert measure_loudness(y, sr) == pytest.approx(-20, abs=0.5)
    # the same sounds give the same files, which are not written again
    times = [(chapter.build / "book" / file).stat().st_mtime_ns for file in files]
    audio_player(sounds)
    assert shown[1][0].data == page
    assert times == [(chapter.build / "book" / file).stat().st_mtime_ns for file in files]
    audio_player({"loud": (loud, 8000)}, match=False)
    assert files[1] not in shown[2][0].data


def test_stems_of_a_mixer_keep_their_levels_and_their_sum_is_matched(in_book, shown):
    chapter = in_book()
    t = np.arange(8000 * 3) / 8000
    loud = (0.2 * np.sin(2 * np.pi * 300 * t)).astype("f4")
    quiet = (0.02 * np.sin(2 * np.pi * 700 * t)).astype("f4")
    audio_player({"bass": (loud, 8000), "other": (quiet[:-80], 8000)}, mixer=True)
    page = shown[0][0].data
    assert 'role="group"' in page
    assert 'data-seconds="2.99"' in page
    assert page.count('<span class="duration">0:02</span>') == 2
    files = re.findall(r'src="(.*?)"', page)
    stems, rates = zip(*(load_audio(chapter.build / "book" / file) for file in files), strict=True)
    assert np.std(stems[0]) / np.std(stems[1]) == pytest.approx(10, rel=0.05)
    assert measure_loudness(sum(stems), rates[0]) == pytest.approx(-20, abs=0.5)


def test_stems_of_a_mixer_have_one_sample_rate(in_book, shown):
    in_book()
    y = np.ones(8000, dtype="f4") / 10
    with raises(BookError, "sample_rates", value=[8000, 16000]):
        audio_player({"bass": (y, 8000), "drums": (y, 16000)}, mixer=True)


def test_long_sounds_are_faded_out(in_book, shown):
    chapter = in_book()
    y = np.full(44100 * 4, 0.0, dtype="f4")
    y[::100] = 0.5
    audio_player({"long": (y, 44100)}, max_seconds=2)
    file = re.search(r'src="(.*?)"', shown[0][0].data).group(1)
    decoded, sr = load_audio(chapter.build / "book" / file)
    assert len(decoded) / sr == pytest.approx(2, abs=0.1)
    ends = [np.abs(decoded[int(a * sr) : int(b * sr)]).max() for a, b in ((1.0, 1.2), (1.9, 1.97))]
    assert ends[1] < 0.3 * ends[0]


def test_players_at_home_are_inline(at_home, shown):
    audio_player({"x<": (np.zeros(100), 8000)})
    assert shown[0][0].data == "<p>x&#60;</p>"
    assert shown[1][0].data


@pytest.mark.parametrize(
    ("names", "kind"), [(["ロック", "funk"], "invalid_name"), (["R&B", "r b"], "taken_name")]
)
def test_rows_need_names_of_their_own(names, kind):
    table = pd.DataFrame({"estimate": [1.0, 2.0], "low": 0.0, "high": 3.0}, index=names)
    with raises(BookError, kind):
        report_effects(table, prefix="style_")
    with raises(BookError, kind):
        report_values(table["estimate"])
