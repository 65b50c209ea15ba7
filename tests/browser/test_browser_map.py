"""The listening map in headless Chromium: display, playback, and use without a mouse."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pydata_sphinx_theme
import pytest
from test_browser_pages import CONTRAST, SMALLEST_CONTRAST

from groove_utils.book import listening

PAGE = "05-embeddings.html"
STATIC = Path(__file__).resolve().parents[2] / "book" / "_static"
THEME = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
READ = ".listening-map :is(label, select, span, p, b, button), figcaption p"
PLAYED = """
() => {
  const start = HTMLMediaElement.prototype.play;
  window.played = [];
  HTMLMediaElement.prototype.play = function () {
    window.played.push(this);
    return start.call(this);
  };
}
"""


@pytest.fixture
def page(visit):
    opened = visit(PAGE)
    opened.wait_for_selector(".listening-map.ready")
    opened.evaluate(PLAYED)
    return opened


def status(page):
    return page.locator(".map-status").inner_text()


def test_every_song_is_a_dot_inside_the_picture(page):
    dots = page.locator(".listening-map circle")
    songs = page.evaluate(
        "() => JSON.parse(document.querySelector('.listening-map script').textContent).songs.length"
    )
    assert dots.count() == songs >= 8
    outside = page.evaluate(
        """() => [...document.querySelectorAll(".listening-map circle")].filter((dot) =>
        !(+dot.getAttribute("cx") >= 0 && +dot.getAttribute("cx") <= 640
        && +dot.getAttribute("cy") >= 0 && +dot.getAttribute("cy") <= 400)).length"""
    )
    assert outside == 0


def test_a_click_plays_and_a_second_click_stops(page):
    dot = page.locator(".listening-map circle").nth(3)
    dot.dispatch_event("click")
    page.wait_for_function("() => window.played.length === 1 && window.played[0].currentTime > 0.1")
    assert dot.get_attribute("aria-pressed") == "true"
    assert status(page).startswith("♪")
    dot.dispatch_event("click")
    assert page.evaluate("() => window.played[0].paused")
    assert dot.get_attribute("aria-pressed") == "false"


def test_hover_says_which_song(page):
    dot = page.locator(".listening-map circle").first
    dot.dispatch_event("mouseenter")
    assert status(page).startswith(dot.get_attribute("aria-label"))


def test_it_is_used_by_keyboard_alone(page):
    page.locator(".listening-map circle[tabindex='0']").focus()
    first = page.evaluate("() => document.activeElement.getAttribute('aria-label')")
    address = page.url
    moved = False
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
        moved |= page.evaluate("() => document.activeElement.getAttribute('aria-label')") != first
    assert moved
    assert page.url == address, "the theme turned the page"
    assert page.locator(".listening-map circle[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.played.length === 1 && window.played[0].currentTime > 0.1")
    page.keyboard.press("Escape")
    assert page.evaluate("() => window.played[0].paused")
    assert page.locator(".listening-map circle.playing").count() == 0


def test_model_and_colour_can_be_changed(page):
    model, colour = (page.locator(".map-controls select").nth(k) for k in (0, 1))
    dots = "[...document.querySelectorAll('.listening-map circle')]"
    state = f"() => {dots}.map((dot) => dot.getAttribute('{{}}'))"
    places, fills = page.evaluate(state.format("cx")), page.evaluate(state.format("fill"))
    model.select_option(index=1)
    assert page.evaluate(state.format("cx")) != places
    assert page.evaluate(state.format("fill")) == fills
    colour.select_option(index=1)
    assert page.evaluate(state.format("fill")) != fills


def test_the_neighbours_of_a_picked_song_are_heard(page):
    dots, near = page.locator(".listening-map circle"), page.locator(".map-near")
    assert near.inner_text() == ""
    dots.nth(3).focus()
    page.keyboard.press("Enter")
    label = page.evaluate(
        "() => JSON.parse(document.querySelector('.listening-map script').textContent)"
        ".songs[3].label"
    )
    assert near.inner_text().startswith(f"Nearest to {label}")
    models = page.locator(".map-controls select").first.locator("option").all_inner_texts()
    assert near.locator("b").all_inner_texts() == models
    assert near.locator("button").count() == 3 * len(models)
    page.keyboard.press("Tab")
    first = near.locator("button").first
    assert first.evaluate("(button) => button === document.activeElement")
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.played.length === 2 && window.played[1].currentTime > 0.1")
    song = int(first.get_attribute("data-song"))
    assert dots.nth(song).get_attribute("aria-pressed") == "true"
    assert first.get_attribute("aria-pressed") == "true"
    assert near.inner_text().startswith(f"Nearest to {label}"), "the song picked before stays"
    first.click()
    assert page.evaluate("() => window.played[1].paused")
    assert page.locator(".listening-map .playing").count() == 0


def test_the_map_stands_in_a_numbered_figure_for_a_static_one(page):
    figure = page.locator("figure#fig-listening-map")
    assert figure.locator(".listening-map.ready").count() == 1
    assert re.match(r"Fig\. \d+\.\d+ ", figure.locator("figcaption").inner_text())
    image = figure.locator("img.only-light")
    assert len(image.get_attribute("alt").split()) >= 5
    assert not image.is_visible()
    page.emulate_media(media="print")
    figure.scroll_into_view_if_needed()  # figures are loaded when scrolled into view or printed
    image.wait_for(state="visible")
    assert not figure.locator(".listening-map").is_visible()
    assert not figure.locator(".map-shown").is_visible()


def test_without_javascript_the_static_figure_is_shown(browser, built_book):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((built_book / PAGE).as_uri())
    assert page.locator("figure#fig-listening-map img.only-light").is_visible()
    assert "The figure above" in page.locator(".listening-map").inner_text()
    context.close()


def test_it_works_from_a_folder_without_a_server(browser, built_book):
    context = browser.new_context()
    page = context.new_page()
    page.route("**/*", lambda r: r.continue_() if r.request.url.startswith("file:") else r.abort())
    page.goto((built_book / PAGE).as_uri())
    page.wait_for_selector(".listening-map.ready")
    page.evaluate(PLAYED)
    page.locator(".listening-map circle").first.dispatch_event("click")
    page.wait_for_function("() => window.played.length === 1 && window.played[0].currentTime > 0.1")
    context.close()


# ---- on a page of its own, with songs that a demo does not have ----


@pytest.fixture
def small(browser, monkeypatch, tmp_path):
    """Function that opens a page with a map; its argument `change` can modify the map's JSON."""
    contexts = []
    monkeypatch.setattr(listening, "in_book", lambda: True)
    monkeypatch.setattr(listening, "show_figure", lambda *_: plt.close("all"))
    monkeypatch.setattr(listening, "web_sounds", lambda *_, **__: [])

    def go(songs=8, n_bands=4, theme="light", width=800, change=str, **columns):
        k = np.arange(songs)
        frame = pd.DataFrame(
            {
                "label": [f"Band {i % n_bands}: Söng {i}" for i in k],
                "style": np.where(k % n_bands < 2, "pop", "funk"),
                "artist": [f"Band {i % n_bands}" for i in k],
            }
        ).assign(**columns)
        ratings = pd.DataFrame({"groove": -0.016 + k / 10, "dance": 51.53 + k})
        ratings.loc[1, "dance"] = np.nan
        around = np.c_[np.cos(k), np.sin(k)]
        maps = {"net-a": around, "net-b": around[::-1], "net-c": np.zeros((songs, 2))}
        shown = []
        monkeypatch.setattr(listening, "display", shown.append)
        layers = {"net-a": "pool5", "net-b": "dense"}
        near = np.array([[j for j in k if j != i] for i in k])[:, :3].reshape(songs, -1)
        nearest = {"net-a": near, "net-b": near[:, ::-1]}
        listening.listening_map(frame, maps, ratings, layers=layers, nearest=nearest)
        sheets = [THEME / "styles" / "pydata-sphinx-theme.css", *sorted(STATIC.glob("*.css"))]
        links = "".join(f'<link rel="stylesheet" href="{sheet.as_uri()}">' for sheet in sheets)
        file = tmp_path / "page.html"
        file.write_text(
            f'<!doctype html><html data-theme="{theme}"><meta charset="utf-8">{links}'
            '<body><main class="bd-content"><article class="bd-article"><div class="cell_output">'
            '<figure id="fig-listening-map"><a><img alt="the static figure" src="data:,"></a>'
            "<figcaption><p>A caption.</p></figcaption></figure>"
            f'<div class="output text_html">{change(shown[0].data)}</div></div></article></main>'
            f'<script src="{(STATIC / "listening-map.js").as_uri()}"></script></body></html>',
            encoding="utf-8",
        )
        context = browser.new_context(viewport={"width": width, "height": 800})
        contexts.append(context)
        opened = context.new_page()
        opened.goto(file.as_uri())
        return opened

    yield go
    for context in contexts:
        context.close()


def choose(page, model=None, colour=None):
    for k, value in enumerate([model, colour]):
        if value is not None:
            page.locator(".map-controls select").nth(k).select_option(label=value)


def fills(page):
    return page.locator(".listening-map circle").evaluate_all(
        "(dots) => dots.map((dot) => dot.getAttribute('fill'))"
    )


def test_a_song_without_a_rating_is_grey_and_the_others_are_not(small):
    page = small()
    legend = page.locator(".map-legend")
    choose(page, colour="dance")
    assert [k for k, fill in enumerate(fills(page)) if fill == "#9e9e9e"] == [1]
    assert legend.inner_text().split() == ["52", "59", "not", "rated"]
    choose(page, colour="groove")
    assert "#9e9e9e" not in fills(page)
    assert "not rated" not in legend.inner_text()
    labels = page.locator(".listening-map circle").evaluate_all(
        "(dots) => dots.map((dot) => dot.getAttribute('aria-label'))"
    )
    assert labels[0] == "Band 0: Söng 0 (pop): groove \u22120.02, dance 52"
    assert labels[1] == "Band 1: Söng 1 (pop): groove 0.08"


def test_the_caption_names_model_layer_projection_and_colour(small):
    page = small()
    caption = page.locator("figure figcaption")
    for model, layer in [("net-a", ", layer pool5"), ("net-b", ", layer dense"), ("net-c", "")]:
        choose(page, model=model)
        assert f"On the map: {model}{layer}, PCA, coloured by style." in caption.inner_text()
    choose(page, colour="artist")
    assert "coloured by artist" in caption.inner_text()


def test_a_song_that_is_pointed_at_shows_its_artist(small):
    page = small()
    dots, kin = page.locator(".listening-map circle"), page.locator(".listening-map circle.kin")
    dots.nth(2).dispatch_event("mouseenter")
    assert kin.evaluate_all(
        "(dots) => dots.map((d) => d.getAttribute('aria-label').slice(0, 6))"
    ) == [
        "Band 2",
        "Band 2",
    ]
    assert "1 more by this artist" in status(page)
    assert page.locator(".map-ties line:visible").count() == 2
    dots.nth(2).dispatch_event("mouseleave")
    assert kin.count() == 0
    dots.first.focus()
    page.keyboard.press("ArrowRight")
    assert kin.count() == 2
    assert page.locator(".listening-map circle:focus.kin").count() == 1


@pytest.mark.parametrize(("n_bands", "says"), [(4, "Band 3"), (12, "12 artists; colours repeat")])
@pytest.mark.parametrize("width", [390, 800])
def test_artists_colour_the_dots_and_lines_join_them(small, n_bands, says, width):
    page = small(songs=24, n_bands=n_bands, width=width)
    choose(page, colour="artist")
    assert len(set(fills(page))) == min(n_bands, 7)
    assert "#000000" not in fills(page)  # invisible on a dark page
    assert says in page.locator(".map-legend").inner_text()
    assert page.locator(".map-ties.all line").count() == 24
    ends = page.locator(".map-ties line").evaluate_all(
        "(lines) => lines.map((line) => [line.getAttribute('x2'), line.getAttribute('y2')].join())"
    )
    assert len(set(ends)) == n_bands
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_its_text_and_dots_stand_out_from_their_ground(small, theme):
    page = small(theme=theme)
    choose(page, colour="dance")
    page.locator(".listening-map circle").first.dispatch_event("click")
    page.locator(".listening-map circle").first.focus()
    read = page.evaluate(CONTRAST, READ)
    assert len(read) >= 6
    assert [line for line in read if line[0] < SMALLEST_CONTRAST] == []
    # contrast of a dot's outline, plain and focused, with the map's background
    for dot in (".kin:focus", ":not(.kin)"):
        stroke = page.locator(f".listening-map circle{dot}").first.evaluate(
            """(dot) => {
              const status = document.querySelector(".map-status");
              status.style.color = getComputedStyle(dot).stroke;
              return getComputedStyle(dot).strokeWidth;
            }"""
        )
        assert page.evaluate(CONTRAST, ".map-status")[0][0] >= 3
        assert stroke == ("4px" if dot == ".kin:focus" else "1px")


@pytest.mark.parametrize("width", [390, 800])
def test_neighbours_of_one_artist_are_named_so(small, width):
    page = small(width=width)
    page.locator(".listening-map circle").nth(4).dispatch_event("click")
    rows = page.locator(".map-near li")
    assert rows.locator("b").all_inner_texts() == ["net-a", "net-b"]
    said = [row.locator("button").all_inner_texts() for row in rows.all()]
    assert said[0] == ["Band 0: Söng 0 (same artist)", "Band 1: Söng 1", "Band 2: Söng 2"]
    assert said[1] == said[0][::-1]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dots_in_one_place_are_all_reached_by_arrow_keys(small):
    page = small(songs=3)
    choose(page, model="net-c")
    page.locator(".listening-map circle").first.focus()
    seen = set()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
        seen.add(page.evaluate("document.activeElement.getAttribute('aria-label')").split(" (")[0])
    assert seen == {"Band 1: Söng 1", "Band 2: Söng 2"}


def test_one_song_without_style_artist_or_sound(small):
    page = small(songs=1, n_bands=1, style=None, artist=None)
    page.locator(".listening-map circle").first.dispatch_event("click")
    assert status(page).endswith("It has no sound file.")
    assert page.locator(".map-controls label:visible").count() == 2
    assert page.locator(".map-ties line").count() == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("51.53", "NaN"),
        lambda text: text.replace('"maps"', '"cards"'),
        lambda text: re.sub("<script.*</script>", "", text),
    ],
)
def test_where_it_fails_a_message_and_the_static_figure_are_shown(small, change):
    page = small(change=change)
    assert "could not be drawn" in page.locator(".listening-map").inner_text()
    assert page.locator(".listening-map :is(svg, select)").count() == 0
    assert page.evaluate("getComputedStyle(document.querySelector('figure a')).display") != "none"


def test_titles_are_shown_as_they_are_written(small):
    titles = ["</script><b>x</b>", 'Beyoncé & "東京" 🥁']
    page = small(songs=2, label=titles)
    dots = page.locator(".listening-map circle")
    for k, title in enumerate(titles):
        dots.nth(k).dispatch_event("mouseenter")
        assert status(page).startswith(title)
    assert page.locator(".listening-map b").count() == 0
