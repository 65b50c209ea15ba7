"""The listening map in headless Chromium: seen, heard, and used without a mouse."""

from __future__ import annotations

import pytest

PAGE = "05-embeddings.html"
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


def told(page):
    return page.locator(".map-told").inner_text()


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
    assert told(page).startswith("♪")
    dot.dispatch_event("click")
    assert page.evaluate("() => window.played[0].paused")
    assert dot.get_attribute("aria-pressed") == "false"


def test_hover_says_which_song(page):
    dot = page.locator(".listening-map circle").first
    dot.dispatch_event("mouseenter")
    assert told(page) == dot.get_attribute("aria-label")


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


def test_a_static_figure_stands_above_the_map(page):
    figure = page.locator("figure#fig-maps img")
    assert figure.count() == 1
    assert len(figure.get_attribute("alt").split()) >= 5


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
