"""The front page in headless Chromium: its map is visible at once, and plays only on request."""

from __future__ import annotations

import pytest

FOLD = 800  # pixels


@pytest.fixture
def front(visit):
    def go(**options):
        page = visit("index.html", **options)
        page.wait_for_selector(".hero .listening-map.ready")
        page.evaluate("document.querySelectorAll('audio').forEach((a) => { a.muted = true; })")
        return page

    return go


def box(page, selector):
    return page.locator(selector).first.bounding_box()


def test_map_and_ladder_are_above_the_fold_side_by_side(front):
    page = front()
    song_map, ladder = (box(page, selector) for selector in (".hero svg", ".ladder"))
    assert song_map["x"] + song_map["width"] <= ladder["x"]
    for part in (song_map, ladder):
        assert part["y"] + part["height"] <= FOLD
    page.set_viewport_size({"width": 420, "height": 900})
    song_map, ladder = (box(page, selector) for selector in (".hero svg", ".ladder"))
    assert song_map["y"] + song_map["height"] <= ladder["y"]
    assert song_map["width"] > 300


def test_a_song_is_loaded_when_it_is_played_and_escape_stops_it(front):
    page = front()
    sounds = []
    page.on("request", lambda request: sounds.append(request.url) if ".mp3" in request.url else 0)
    page.wait_for_timeout(300)
    assert sounds == []
    dots = page.locator(".hero circle")
    assert 2 <= dots.count() <= 48
    page.locator(".hero circle[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    playing = "() => document.querySelector('.hero audio').currentTime > 0.1"
    page.wait_for_function(playing)
    assert len(set(sounds)) == 1
    assert page.locator(".hero circle.playing").count() == 1
    page.keyboard.press("Escape")
    assert page.evaluate("document.querySelector('.hero audio').paused")
    assert page.complaints == []


@pytest.mark.parametrize("width", [420, 1280])
def test_a_tap_within_twelve_pixels_of_a_dot_picks_a_song(front, width):
    page = front(width=width)
    dot = page.locator(".hero circle").first
    dot.scroll_into_view_if_needed()
    around = dot.bounding_box()
    middle = [around[side] + around[size] / 2 for side, size in (("x", "width"), ("y", "height"))]
    page.mouse.click(middle[0] + 8, middle[1] + 8)
    assert page.locator(".hero .map-status").inner_text().startswith("♪")
