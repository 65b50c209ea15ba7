"""Accessibility of pages (WCAG 2.2, levels A and AA, by axe-core), and size of their first load."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from test_browser_pages import PAGES, PLAYERS

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
LARGEST_FIRST_LOAD = 1_200_000  # bytes, uncompressed
# rules that axe-core omits by default
RULES = """{"target-size": {enabled: true}, "label-content-name-mismatch": {enabled: true}}"""
# contrast takes most of the time, but colours do not depend on the width
CHECK = f"""
async (width) => {{
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"];
  const rules = {{...{RULES}, "color-contrast": {{enabled: width >= 1280}}}};
  const results = [await axe.run(document, {{runOnly: tags, rules, preload: false}})];
  if (width < 1280)
    results.push(await axe.run({{exclude: "article"}}, {{runOnly: ["color-contrast"]}}));
  return results.flatMap(({{violations}}) => violations).flatMap(({{id, nodes}}) =>
    nodes.map((node) => `${{id}}: ${{node.html.slice(0, 200)}} ${{node.failureSummary}}`));
}}
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [*PAGES, "search.html"])
def test_page_meets_the_accessibility_guidelines(visit, name, theme):
    page = visit(name, theme=theme)
    page.add_script_tag(path=AXE)
    for width in (1280, 420):
        page.set_viewport_size({"width": width, "height": 900})
        for _ in range(
            20
        ):  # after a delay, the theme makes scrolling elements reachable by keyboard
            page.wait_for_timeout(200)
            if not (problems := page.evaluate(CHECK, width)):
                break
        assert problems == [], f"at {width} px:\n" + "\n".join(problems[:10])


def test_the_check_of_accessibility_sees_a_fault(visit):
    page = visit("glossary.html")
    page.add_script_tag(path=AXE)
    fault = '<img src="data:,"><p style="color: #999; background: #888">grey</p>'
    page.evaluate("(fault) => document.body.insertAdjacentHTML('beforeend', fault)", fault)
    for width in (1280, 420):
        problems = page.evaluate(CHECK, width)
        assert {problem.partition(":")[0] for problem in problems} == {
            "image-alt",
            "color-contrast",
        }


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_on_first_load(browser, address, name):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    sizes = {}

    def on_finished(request):
        if request.url.startswith(address):
            sizes[urlsplit(request.url).path] = request.sizes()["responseBodySize"]

    page.on("requestfinished", on_finished)
    page.goto(f"{address}/{name}", wait_until="networkidle")
    context.close()
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    assert 100_000 < sum(sizes.values()) <= LARGEST_FIRST_LOAD, heaviest


def test_a_second_sound_stops_the_first_and_escape_stops_all(visit):
    page = visit(PLAYERS)
    page.evaluate("document.querySelectorAll('audio').forEach((a) => { a.muted = true; })")
    start = """async (k) => {
      const players = [...document.querySelectorAll("figure.player audio")];
      await players[k].play();
      await new Promise((done) => setTimeout(done, 100));
      return players.map((a, j) => a.paused ? -1 : j).filter((j) => j >= 0);
    }"""
    assert page.evaluate(start, 0) == [0]
    assert page.evaluate(start, 1) == [1]
    page.keyboard.press("Escape")
    assert page.evaluate("[...document.querySelectorAll('audio')].every((a) => a.paused)")


def test_players_show_their_duration(visit):
    page = visit(PLAYERS)
    texts = page.locator("figure.player .duration").all_text_contents()  # including folded players
    assert len(texts) == page.locator("figure.player audio").count()
    assert all(":" in text for text in texts)


def test_stems_of_a_mixer_play_in_step_alone_or_muted(visit):
    page = visit(PLAYERS)
    mixer = page.locator(".stem-mixer.ready").first
    sounds = mixer.locator("audio")
    state = "(sounds) => sounds.map((a) => [a.paused, a.muted, a.currentTime])"
    assert sounds.count() >= 2
    mixer.get_by_role("button", name="Play").click()
    page.wait_for_function("""() => {
      const times = [...document.querySelector(".stem-mixer").querySelectorAll("audio")].map(
        (sound) => sound.currentTime);
      return Math.min(...times) > 0.3 && Math.max(...times) - Math.min(...times) < 0.1;
    }""")
    found = sounds.evaluate_all(state)
    assert not any(paused or muted for paused, muted, _ in found)
    mixer.get_by_role("button", name="Solo").first.click()
    muted = [muted for _, muted, _ in sounds.evaluate_all(state)]
    assert muted == [False] + [True] * (len(muted) - 1)
    mixer.get_by_role("button", name="All stems").click()
    mixer.get_by_role("button", name="Mute").first.click()
    muted = [muted for _, muted, _ in sounds.evaluate_all(state)]
    assert muted == [True] + [False] * (len(muted) - 1)
    page.keyboard.press("Escape")
    assert all(paused for paused, _, _ in sounds.evaluate_all(state))
