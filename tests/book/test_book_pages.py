"""Static checks of the built pages: no missing content, no broken links, no leaked paths."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from pybtex.database import parse_file

from groove_utils.book.jupytext_sync import read_chapter
from groove_utils.book.page import WITHOUT_STUDY

ROOT = Path(__file__).resolve().parents[2]
ANALYSIS = ROOT / "analysis"
LARGEST_PAGE = 3_000_000  # bytes
HERE_ONLY = re.compile(
    r"(?<![\w.:/-])/(?:home|root|work|tmp|Users|usr|opt|var)/[\w.]|site-packages"
)
ERRORS = re.compile(
    r"Traceback \(most recent call last\)|\b[A-Z]\w*(?:Error|Exception): |\w+Warning: "
)
UNRESOLVED = re.compile(
    r"\{glue|\{\{|\}\}|\{numref\}|\{cite|\{doc\}|\{ref\}|\{term\}|\{%|:::|```|\[\?\]"
)


def local_targets(soup):
    for name, attribute in [
        ("a", "href"),
        ("img", "src"),
        ("audio", "src"),
        ("source", "src"),
        ("script", "src"),
        ("link", "href"),
        ("iframe", "src"),
    ]:
        for tag in soup.find_all(name):
            target = tag.get(attribute)
            if target and not urlsplit(target).scheme and not target.startswith("//"):
                yield target


def plain(text: str) -> str:
    """Return the letters of a text in lower case, without TeX markup and accents."""
    letters = unicodedata.normalize("NFKD", re.sub(r"[{}\\\"'’]", "", text))
    return letters.encode("ascii", "ignore").decode().casefold()


def prose_of(article) -> str:
    """Return the text of an article without inline code and code blocks."""
    pieces = article.find_all(string=True)
    return " ".join(
        str(piece) for piece in pieces if not piece.find_parent(["pre", "code", "script"])
    )


def test_every_page_of_the_contents_and_every_chapter_is_there(built_book, chapter_names):
    contents = ROOT / "book" / "_toc.yml"
    text = re.sub(r"\{%.*?%\}\n?", "", contents.read_text(encoding="utf-8"))
    listed = yaml.safe_load(text.replace("{{ chapter }}", "CHAPTER"))
    pages = [listed["root"]]
    pages += [entry["file"] for part in listed["parts"] for entry in part["chapters"]]
    pages = [page for page in pages if page not in ("CHAPTER", "unanswered")] + chapter_names
    assert len(pages) >= 8
    missing = [page for page in pages if not (built_book / f"{page}.html").is_file()]
    assert not missing, f"no HTML page for {missing}"


def test_every_page_is_in_the_sidebar(soups, chapter_names):
    links = {a.get("href") for a in soups["index.html"].select(".bd-sidebar-primary a[href]")}
    assert {f"{chapter}.html" for chapter in chapter_names} <= links


def test_downloaded_notebooks_begin_with_their_installation(soups, built_book, chapter_names):
    for chapter in chapter_names:
        link = soups[f"{chapter}.html"].select_one("a.btn-download-source-button")["href"]
        notebook = nbformat.read(built_book / link, as_version=4)
        assert "REPOSITORY" in notebook.cells[0].source, chapter
        assert any(cell.get("outputs") for cell in notebook.cells), chapter
        prose = "".join(c.source for c in notebook.cells if c.cell_type == "markdown")
        unresolved = re.findall(r"\{[a-z:]+\}`[^`]*`|^[`~]{3,}\{.*$", prose, re.MULTILINE)
        assert unresolved == [], chapter


def test_every_page_describes_itself_in_one_sentence_or_two(soups, articles):
    for name in articles:
        found = soups[name].find_all("meta", attrs={"name": "description"})
        assert len(found) == 1, name
        assert 20 <= len(found[0]["content"]) <= 160, f"{name}: {found[0]['content']}"


def test_images_have_a_size_and_load_when_seen(articles):
    for name, article in articles.items():
        for image in article.find_all("img"):
            assert image["loading"] == "lazy", f"{name}: {image['src']}"
            assert int(image["width"]) > 0, f"{name}: {image['src']}"
            assert int(image["height"]) > 0, f"{name}: {image['src']}"


def test_the_footer_names_study_version_licence_and_citation(soups, articles):
    for name in articles:
        facts = soups[name].select_one("footer .site-facts")
        assert facts is not None, name
        for word in ("Study:", "Version", "Licence:", "Cite as:"):
            assert word in facts.get_text(), f"{name}: {facts.get_text()}"


def test_links_and_resources_lead_somewhere(built_book, soups):
    ids = {name: {tag["id"] for tag in soup.find_all(id=True)} for name, soup in soups.items()}
    broken = []
    for page, soup in soups.items():
        for target in local_targets(soup):
            parts = urlsplit(target)
            path = unquote(parts.path)
            file = (built_book / path) if path else built_book / page
            if not file.exists() or not file.resolve().is_relative_to(built_book.resolve()):
                broken.append(f"{page}: {target}")
            elif parts.fragment and file.suffix == ".html":
                known = ids.get(file.name, set())
                if unquote(parts.fragment) not in known:
                    broken.append(f"{page}: {target} (no such anchor)")
    assert not broken, "\n".join(broken)


def test_ids_are_unique_on_each_page(articles):
    for page, article in articles.items():
        ids = [tag["id"] for tag in article.find_all(id=True)]
        assert len(ids) == len(set(ids)), f"{page}: {sorted({i for i in ids if ids.count(i) > 1})}"


def test_every_figure_says_what_is_to_be_seen(articles, chapter_names):
    count = 0
    for page, article in articles.items():
        for image in article.find_all("img"):
            count += 1
            alt = image.get("alt", "")
            assert len(alt.split()) >= 5, f"{page}: {image.get('src')}: alt text {alt!r}"
            assert not alt.endswith((".png", ".svg", ".webp")), (
                f"{page}: alt text is a file name: {alt!r}"
            )
            figure = image.find_parent("figure")
            assert figure is not None, f"{page}: {image.get('src')} stands in no figure"
            caption = figure.find("figcaption")
            assert caption is not None, f"{page}: {image.get('src')} has no caption"
            assert len(caption.get_text().split()) >= 5, f"{page}: caption {caption.get_text()!r}"
    assert count >= len(chapter_names)


def test_every_numbered_table_has_a_caption(articles):
    for page, article in articles.items():
        for table in article.find_all("table", id=re.compile("^tab-")):
            caption = table.find("caption")
            assert caption is not None, f"{page}: {table['id']} has no caption"
            assert len(caption.get_text().split()) >= 4, f"{page}: {caption.get_text()!r}"


def test_no_page_is_heavy_or_carries_sound_inside(built_book):
    for page in built_book.glob("*.html"):
        assert page.stat().st_size <= LARGEST_PAGE, f"{page.name}: {page.stat().st_size:,} bytes"
        assert "data:audio" not in page.read_text(encoding="utf-8"), f"{page.name}: inlined audio"


def test_no_error_is_printed_in_an_output(articles):
    for page, article in articles.items():
        assert not article.select(".output.stderr, .output.traceback"), f"{page}: stderr output"
        for output in article.select(".cell_output"):
            found = ERRORS.search(output.get_text())
            assert not found, f"{page}: {found.group()!r} in an output"


def test_no_traceback_anywhere(articles):
    for page, article in articles.items():
        assert "Traceback (most recent call last)" not in article.get_text(), page


def test_pages_do_not_know_the_machine_they_were_made_on(articles):
    for page, article in articles.items():
        found = HERE_ONLY.search(str(article))
        assert not found, f"{page}: …{str(article)[found.start() - 60 : found.end() + 60]}…"


@pytest.mark.parametrize("text", ["in /home/ann/book", "'/tmp/x.wav'", "lib/site-packages/x"])
def test_the_pattern_for_machine_paths_finds_them(text):
    assert HERE_ONLY.search(text)


def test_no_markup_is_left_unresolved(articles):
    for page, article in articles.items():
        prose = prose_of(article)
        found = UNRESOLVED.search(prose)
        assert not found, f"{page}: …{prose[max(found.start() - 60, 0) : found.end() + 60]}…"


def test_glossary_terms_are_linked_from_chapters(articles, chapter_names):
    terms = {dt["id"] for dt in articles["glossary.html"].select("dl.glossary dt[id]")}
    assert len(terms) >= 10
    assert any("syncopation" in term for term in terms)
    unlinked = []
    for chapter in chapter_names:
        links = articles[f"{chapter}.html"].find_all("a", href=re.compile(r"^glossary\.html#term-"))
        assert {link["href"].split("#")[1] for link in links} <= terms
        if not links:
            unlinked.append(chapter)
    assert not unlinked, f"no term of the glossary is linked from {unlinked}"


def test_references_are_in_the_order_of_authors_and_most_have_a_doi(articles):
    references = articles["references.html"]
    entries = parse_file(ROOT / "book" / "references.bib", "bibtex").entries.values()
    first = [entry.persons["author"][0] for entry in entries]
    names = sorted(plain(" ".join([*author.prelast_names, *author.last_names])) for author in first)
    shown = [plain(citation.get_text()) for citation in references.select(".citation")]
    assert len(shown) == len(names)
    displaced = [(name, text[:60]) for name, text in zip(names, shown) if name not in text]
    assert displaced == []
    links = {unquote(a["href"]) for a in references.select('a[href^="https://doi.org/10."]')}
    dois = {f"https://doi.org/{e.fields['doi']}" for e in entries if "doi" in e.fields}
    assert links == dois
    assert len(dois) > 0.7 * len(names)


def test_citations_lead_to_the_references(articles):
    entries = {tag["id"] for tag in articles["references.html"].find_all(id=True)}
    count = 0
    for page, article in articles.items():
        for citation in article.select(".bibtex-citation"):
            links = citation.find_all("a", href=re.compile(r"^(references\.html)?#"))
            assert links, f"{page}: unresolved citation {citation.get_text()!r}"
            assert all(link["href"].split("#")[1] in entries for link in links), page
            count += 1
    assert count >= 5


def test_simulated_ratings_are_named_so_on_every_page_with_numbers(articles, chapter_names):
    simulated = "simulated" in articles["provenance.html"].get_text()
    for chapter in chapter_names:
        titles = [t.get_text() for t in articles[f"{chapter}.html"].select(".admonition-title")]
        title = read_chapter(ANALYSIS / f"{chapter}.py").cells[0]
        expected = simulated and WITHOUT_STUDY not in title.metadata.get("tags", [])
        assert ("Simulated listeners" in titles) == expected, f"{chapter}: boxes {titles}"
    on_index = articles["index.html"].select(".admonition.simulated")
    assert bool(on_index) == simulated


def test_the_front_page_has_live_numbers(articles):
    found = articles["index.html"].find(id="what-was-found")
    numbers = re.findall(r"[−-]?\d+\.\d+", found.get_text())
    assert len(numbers) >= 6, numbers
    assert "95% CI" in found.get_text()
    assert not re.search(r"\b(?:nan|None|inf)\b", found.get_text())


def test_no_number_is_missing_in_the_prose(articles):
    for page, article in articles.items():
        for pasted in article.select(".pasted-text, .pasted-inline"):
            text = pasted.get_text().strip()
            assert text, f"{page}: an empty value in the text"
            assert text not in {"nan", "None", "inf"}, f"{page}: the text reports {text}"


def test_chapters_are_whole(articles, chapter_names):
    for chapter in chapter_names:
        article = articles[f"{chapter}.html"]
        assert article.select_one(".admonition.lesson"), f"{chapter}: no lesson box"
        assert article.select(".cell.tag_parameters"), f"{chapter}: no parameters cell"
        assert article.select("details.sd-dropdown, .solution.dropdown"), (
            f"{chapter}: no folded solution"
        )
        headings = [h.get_text().rstrip("#") for h in article.find_all("h2")]
        assert {"Exercises", "Summary"} <= set(headings), f"{chapter}: sections {headings}"
