"""The built book in headless Chromium: loading, playback, search, layout and contrast."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SMALLEST_CONTRAST = 4.5  # WCAG 2, level AA, body text
ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = re.search(r"^CHAPTERS := (.*)$", (ROOT / "analysis/chapters.mk").read_text(), re.M)[1]
PAGES = sorted(f"{page.stem}.html" for page in (ROOT / "book").glob("*.md"))
PAGES.remove("unanswered.html")  # the demo study answers every chapter
PAGES += [f"{chapter}.html" for chapter in CHAPTERS.split()]
PLAYERS = "01-listeners-and-tracks.html"

# selectors of text, by name in messages
READ = {
    "body text": ".bd-article p",
    "headings": ".bd-article h1, .bd-article h2, .bd-article h3",
    "links": ".bd-article p a",
    "boxes": ".bd-article .admonition, .bd-article .admonition p",
    "captions": ".bd-article figcaption, .bd-article figcaption p, .bd-article figcaption span,"
    " .bd-article table caption, .bd-article table caption span",
    "player labels": ".bd-article figure.player figcaption",
    "code": ".bd-article pre, .bd-article pre span, .bd-article code",
    "tables": ".bd-article td, .bd-article th",
    "sidebar": ".bd-sidebar-primary a, .bd-sidebar-secondary a",
}

# contrast of rendered text with its background, as defined in WCAG 2
CONTRAST = """
(selector) => {
  const parse = (text) => {
    const found = text.match(/rgba?\\(([^)]+)\\)/);
    if (!found) return [0, 0, 0, 0];
    const v = found[1].split(/[ ,\\/]+/).filter(Boolean).map(Number);
    return [v[0], v[1], v[2], v.length > 3 ? v[3] : 1];
  };
  const over = (top, bottom) => [0, 1, 2].map((i) => top[i] * top[3] + bottom[i] * (1 - top[3]));
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    let colour = [255, 255, 255];
    for (const layer of layers.reverse()) colour = over(layer, colour);
    return colour;
  };
  const opacity = (element) => {
    let product = 1;
    for (let e = element; e; e = e.parentElement) product *= Number(getComputedStyle(e).opacity);
    return product;
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map(
      (c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const results = [];
  for (const element of document.querySelectorAll(selector)) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility({visibilityProperty: true})) continue;
    if (element.closest('.headerlink')) continue;
    const behind = ground(element);
    const colour = parse(getComputedStyle(element).color);
    colour[3] *= opacity(element);
    const [a, b] = [luminance(over(colour, behind)), luminance(behind)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    results.push([ratio, element.textContent.trim().slice(0, 40)]);
  }
  return results;
}
"""


def test_every_page_is_looked_at(built_book):
    generated = {"genindex.html", "search.html"}
    assert {page.name for page in built_book.glob("*.html")} - generated == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_page_loads_without_complaints(visit, name):
    page = visit(name)
    page.wait_for_timeout(300)
    assert page.complaints == []
    assert page.locator(".bd-article h1").count() == 1
    broken = page.evaluate(
        "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    )
    assert broken == []


def test_the_first_visit_logs_no_error(browser, address):
    """Use a browser without a stored theme, unlike :func:`visit`."""
    page = browser.new_page()
    errors = []
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.goto(f"{address}/index.html")
    page.close()
    assert errors == []


def test_the_watch_for_complaints_sees_them(visit):
    page = visit("index.html")
    page.evaluate("console.error('seen')")
    page.evaluate("fetch('no-such-file.js')")
    page.wait_for_timeout(300)
    assert any("seen" in line for line in page.complaints)
    assert any(line.startswith("404") for line in page.complaints)


def test_players_play(visit):
    page = visit(PLAYERS)
    players = page.locator(".players:not(.stem-mixer) audio")
    assert players.count() >= 2
    heard = players.evaluate_all(
        """async (players) => {
          const heard = [];
          for (const player of players) {
            player.muted = true;
            await player.play();
            const began = performance.now();
            while (player.currentTime < 0.2 && performance.now() - began < 5000)
              await new Promise((done) => setTimeout(done, 50));
            heard.push([player.currentTime, player.duration, player.error ? player.error.code : 0]);
            player.pause();
          }
          return heard;
        }"""
    )
    for time, duration, error in heard:
        assert error == 0
        assert time >= 0.2
        assert 1 <= duration < 60
    assert page.complaints == []


def test_a_player_is_reached_and_started_by_keyboard(visit):
    page = visit(PLAYERS)
    page.locator("#listen-before-you-compute").scroll_into_view_if_needed()
    page.evaluate("document.querySelectorAll('audio').forEach((a) => { a.muted = true; })")
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "AUDIO":
            break
    assert page.evaluate("document.activeElement.tagName") == "AUDIO"
    page.keyboard.press("Space")
    page.wait_for_function("document.activeElement.currentTime > 0.1", timeout=5000)


def test_search_finds_syncopation(visit):
    page = visit("search.html?q=syncopation")
    page.wait_for_selector("#search-results ul.search li a", timeout=10_000)
    found = page.locator("#search-results ul.search li a").evaluate_all(
        "(links) => links.map((link) => link.getAttribute('href').split(/[?#]/)[0])"
    )
    assert "glossary.html" in found
    assert page.complaints == []


def test_search_for_nonsense_finds_nothing(visit):
    page = visit("search.html?q=zzyzxqq")
    page.wait_for_selector("#search-results .search-summary", timeout=10_000)
    page.wait_for_timeout(500)
    assert page.locator("#search-results ul.search li a").count() == 0


def test_the_theme_button_turns_the_page_dark_and_it_stays(visit, address):
    page = visit("index.html")
    button = page.locator("button.theme-switch-button:visible").first
    seen = []
    for _ in range(3):
        button.click()
        seen.append(page.evaluate("document.documentElement.dataset.theme"))
        if seen[-1] == "dark":
            break
    assert seen[-1] == "dark"
    page.goto(f"{address}/glossary.html")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", PLAYERS, "06-probing.html", "glossary.html"])
def test_text_stands_out_from_its_ground(visit, name, theme):
    page = visit(name, theme=theme)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    pale = []
    for what, selector in READ.items():
        for ratio, text in page.evaluate(CONTRAST, selector):
            if ratio < SMALLEST_CONTRAST:
                pale.append(f"{what}: {ratio:.2f} in “{text}”")
    assert not pale, "\n".join(sorted(set(pale))[:30])


def test_the_measure_of_contrast_is_right(visit):
    page = visit("index.html")
    page.evaluate(
        """document.body.innerHTML = '<p id="a" style="color:#000;background:#fff">x</p>'
        + '<p id="b" style="color:#777;background:#fff">x</p>'
        + '<p id="c" style="color:#000;background:#fff;opacity:0">x</p>'"""
    )
    ratios = [page.evaluate(CONTRAST, f"#{name}")[0][0] for name in "abc"]
    assert ratios == pytest.approx([21, 4.478, 1], abs=0.01)


@pytest.mark.parametrize("width", [390, 768, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_widens_the_page(visit, name, width):
    page = visit(name, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # overflowing content is cut off unless an element scrolls
    cut = page.evaluate(
        """(width) => [...document.querySelectorAll('.bd-article *')].filter((e) => {
          if (!e.getClientRects().length || e.getBoundingClientRect().right <= width + 1)
            return false;
          for (let up = e; up && !up.matches('.bd-article'); up = up.parentElement)
            if (/auto|scroll/.test(getComputedStyle(up).overflowX)) return false;
          return true;
        }).map((e) => e.tagName + ': ' + e.textContent.trim().slice(0, 40))""",
        width,
    )
    assert cut == []


def test_the_sidebar_opens_on_a_phone(visit):
    page = visit("index.html", width=390)
    sidebar = page.locator(
        ".bd-sidebar-primary a[href='06-probing.html'], dialog a[href='06-probing.html']"
    )
    assert not sidebar.first.is_visible()
    page.locator("button.primary-toggle:visible").first.click()
    sidebar.first.wait_for(state="visible", timeout=5000)


def test_a_folded_solution_unfolds(visit):
    page = visit("06-probing.html")
    solution = page.locator(".solution.dropdown").first
    code = solution.locator("pre").first
    assert not code.is_visible()
    solution.locator("button.toggle-button").click()
    assert code.is_visible()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["model-cards.html", "09-mixed-models.html"])
def test_a_table_that_scrolls_says_so(visit, name, width):
    page = visit(name, width=width)
    tables = page.evaluate(
        """[...document.querySelectorAll('.pst-scrollable-table-container')].map((region) => [
          region.scrollWidth > region.clientWidth + 1,
          getComputedStyle(region, '::before').content.includes('sideways'),
        ])"""
    )
    assert tables
    assert [says for _, says in tables] == [scrolls for scrolls, _ in tables]
    assert any(scrolls for scrolls, _ in tables) == (width == 390)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_are_drawn_for_the_theme(visit, theme):
    page = visit("06-probing.html", theme=theme)
    page.locator(".bd-article figure a > img:visible").first.scroll_into_view_if_needed()
    corners = page.locator(".bd-article figure a > img:visible").first.evaluate(
        """async (image) => {
          await image.decode();
          const canvas = new OffscreenCanvas(1, 1).getContext('2d');
          canvas.drawImage(image, 0, 0, 1, 1, 0, 0, 1, 1);
          return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
        }"""
    )
    assert all(channel > 240 for channel in corners) if theme == "light" else max(corners) < 50


def test_nothing_is_cut_on_paper(visit):
    page = visit("09-mixed-models.html", width=640)  # A4 without its margins
    page.emulate_media(media="print")
    cut = page.evaluate(
        """[...document.querySelectorAll('.bd-article pre, .bd-article table')].filter(
          (e) => e.checkVisibility() && e.clientWidth
            && (e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > 641)
        ).map((e) => e.tagName + ': ' + e.textContent.trim().slice(0, 60))"""
    )
    assert cut == []
    chrome = ".copybtn, .toggle-button, details.hide, .players, .bd-sidebar-primary, .only-dark"
    assert page.locator(chrome).locator("visible=true").count() == 0
    assert page.locator(".bd-article pre").locator("visible=true").count() > 5
