"""Compile executed chapters and hand-written pages into HTML with jupyter-book.

Pages in ``book/`` are Jinja templates that insert reported values, for example with
``{{ value("06-probing.r2") }}``, so no number is typed by hand. The build fails if a page uses a
value that no chapter reported. All template output is escaped, except tables and other MyST
markup written by this package.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import jinja2
import nbformat
import yaml

from groove_utils.book.chapter import study_tables
from groove_utils.book.compilation import compile_pages
from groove_utils.book.demo_results import demo_results
from groove_utils.book.demo_truth import demo_truth
from groove_utils.book.downloads import write_downloads
from groove_utils.book.errors import BookError
from groove_utils.book.exercise_notebooks import write_exercises
from groove_utils.book.extraction_costs import extraction_costs
from groove_utils.book.front_page import front_page
from groove_utils.book.html import finish_pages
from groove_utils.book.kept_files import KeptFiles
from groove_utils.book.markdown import escape_text
from groove_utils.book.model_cards import model_card_pages
from groove_utils.book.page_media import is_shown, list_media
from groove_utils.book.provenance import provenance_tables
from groove_utils.book.run_times import read_run_times
from groove_utils.book.unanswered import find_unanswered
from groove_utils.files import write_if_changed
from groove_utils.manifest import (
    list_folder,
    package_files,
    take_stamps,
    watch_files,
    write_manifest,
)
from groove_utils.packages import required_packages
from groove_utils.study import load_study

__all__ = ["build_book", "collect_values", "repository", "write_pages"]


def collect_values(build: Path, chapters: list[str]) -> dict[str, dict]:
    """Merge the chapters' reported values into ``values.json``, with keys ``<chapter>.<name>``."""
    values = {}
    for chapter in chapters:
        reported = json.loads((build / "values" / f"{chapter}.json").read_text(encoding="utf-8"))
        values |= {f"{chapter}.{name}": entry for name, entry in reported.items()}
    write_if_changed(build / "values.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    return values


def build_book(root: Path, study: str, build: Path, chapters: list[str]) -> Path:
    """Assemble the book's sources for a study and compile them.

    Parameters
    ----------
    root : pathlib.Path
        Root folder of the repository.
    study : str
        Name or folder of the study.
    build : pathlib.Path
        The study's folder of generated files, with the executed chapters in ``book/``.
    chapters : list of str
        Names of the chapters to include; all must have been executed.

    Returns
    -------
    pathlib.Path
        The front page, ``html/index.html``.

    Raises
    ------
    BookError
        If jupyter-book fails or issues warnings, or a page uses a value that was not reported.
    """
    sources = build / "book"
    data = load_study(study if Path(study).is_dir() else build / "study", validate=False)
    values = collect_values(build, chapters)
    unanswered = find_unanswered(sources, chapters)
    shown = [name for name in chapters if name not in {chapter.name for chapter in unanswered}]
    context = {
        "study": data,
        "has": data.has,
        "value": _lookup(values, "text"),
        "full": _lookup(values, "full"),
        "reported": lambda name: name in values,
        "chapters": shown,
        "unanswered": unanswered,
        "run_time": lambda chapter: read_run_times(build, [chapter]).get(chapter, ""),
        "model_cards": model_card_pages(),
        "front": front_page(sources, values),
        "truth": demo_truth(),
        "costs": extraction_costs(root / "analysis" / "expected"),
        "demo": demo_results(root / "analysis" / "expected"),
        **provenance_tables(root, build, data, chapters),
    }
    _render_pages(root / "book", sources, context)
    _drop_unused_media(sources, chapters)
    address = repository(root)
    config = _config(root / "_config.yml", address)
    titles = {chapter.name: chapter.title for chapter in unanswered}
    config["sphinx"]["config"]["unanswered_chapters"] = titles
    config["html"]["extra_footer"] = _footer(root, data.title, address)
    write_if_changed(sources / "_config.yml", yaml.safe_dump(config, sort_keys=False))
    html, fresh = build / "html", build / "work" / "html"
    shutil.rmtree(fresh, ignore_errors=True)
    work = build / "work" / "pages"  # kept, so that only changed pages are compiled the next time
    shutil.copytree(compile_pages(sources, work, build / "logs" / "jupyter-book.txt"), fresh)
    kept = KeptFiles(work / "finished")
    finish_pages(fresh, sources / "figures", kept)
    (fresh / ".nojekyll").touch()
    write_downloads(shown, sources, fresh, values, address, kept)
    kept.remove_unused()
    write_exercises(_scripts(root, shown), fresh, values, address)
    old = build / "work" / "html-old"
    shutil.rmtree(old, ignore_errors=True)
    if html.exists():
        html.replace(old)
    fresh.replace(html)
    shutil.rmtree(old, ignore_errors=True)
    write_exercises(_scripts(root, chapters), build.parent, values, address)  # for JupyterLab
    return html / "index.html"


def write_pages(root: Path, study: str, build: Path, chapters: list[str]) -> Path:
    """Compile the book and write the manifest ``made/html.json``; see :func:`build_book`."""
    watch_files()
    data = load_study(study if Path(study).is_dir() else build / "study", validate=False)
    sources, tables = root / "book", build / "tables"
    files = ("_config.yml", "requirements.txt", "requirements-nodeps.txt", "analysis/chapters.mk")
    inputs = [
        *(root / file for file in files),
        *(sources, *list_folder(sources), build / "study.path", *study_tables(data)),
        *(build / "book" / f"{chapter}.ipynb" for chapter in chapters),
        *_scripts(root, chapters),  # sources of the exercise notebooks
        *(build / kind / f"{chapter}.json" for chapter in chapters for kind in ("values", "runs")),
        *tables.glob("models.parquet"),
        *(build / "book" / "figures").glob("06-probing-ladder.csv"),  # on the front page
        *(root / "analysis" / "expected").glob("*.csv"),
    ]
    stamps = take_stamps(sources, *(build / kind for kind in ("values", "runs", "tables")))
    page = build_book(root, study, build, chapters)
    write_manifest(
        build / "made" / "html.json",
        inputs=[*inputs, *package_files()],
        outputs=[*list_folder(page.parent), build / "values.json"],
        packages=required_packages(),  # a page lists their versions
        stamps=stamps,
    )
    return page


def repository(root: Path) -> dict[str, str] | None:
    """Determine the project's GitHub URL from the CI environment or the git remote.

    Returns
    -------
    dict or None
        ``url`` and ``branch``. None if no GitHub URL is found; the pages then have no link to the
        source code.
    """
    slug = os.environ.get("GITHUB_REPOSITORY")
    if not slug:
        remote = _git(root, "remote", "get-url", "origin")
        match = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", remote)
        slug = match.group(1) if match else None
    if not slug:
        return None
    branch = os.environ.get("GITHUB_REF_NAME") or _git(root, "rev-parse", "--abbrev-ref", "HEAD")
    return {"url": f"https://github.com/{slug}", "branch": branch or "main"}


def _scripts(root: Path, chapters: list[str]) -> list[Path]:
    """List the chapters' scripts, omitting scripts that do not exist."""
    scripts = (root / "analysis" / f"{chapter}.py" for chapter in chapters)
    return [script for script in scripts if script.is_file()]


def _lookup(values: dict[str, dict], key: str) -> Callable[[str], str]:
    def lookup(name: str) -> str:
        if name not in values:
            raise BookError(
                f"A page uses the value {name!r}, which no chapter reported.",
                kind="unknown_value",
                value=name,
            )
        return values[name][key]

    return lookup


def _render_pages(pages: Path, target: Path, context: dict) -> None:
    # MyST's anchors are written {#…}, so Jinja comments are written {## … ##} here
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        comment_start_string="{##",
        comment_end_string="##}",
        finalize=escape_text,
    )
    for page in sorted(pages.rglob("*")):
        if page.is_dir() or page.name.startswith("."):
            continue
        place = target / page.relative_to(pages)
        if page.suffix in {".md", ".yml"}:
            try:
                text = environment.from_string(page.read_text(encoding="utf-8")).render(context)
            except jinja2.TemplateError as error:
                raise BookError(f"{page}: {error}", kind="template", path=page) from error
            write_if_changed(place, text)
        else:
            write_if_changed(place, page.read_bytes())


def _drop_unused_media(sources: Path, chapters: list[str]) -> None:
    """Delete notebooks, figures and sounds that are not used by any chapter of this build."""
    text = ""
    for notebook in sources.glob("*.ipynb"):
        if notebook.stem not in chapters:
            notebook.unlink()
            continue
        text += json.dumps(nbformat.read(notebook, as_version=4))
    for file in list_media(sources):
        if not is_shown(file, text):
            file.unlink()


def _footer(root: Path, study_title: str, address: dict[str, str] | None) -> str:
    """Return the footer of all pages as HTML, with study, version, date, licence and citation."""
    file = root / "CITATION.cff"
    facts = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    date, _, commit = _git(root, "log", "-1", "--format=%cs %h").partition(" ")
    items = [f"Study: {escape_text(study_title)}"]
    if version := facts.get("version"):
        revision = f" of {date} ({commit})" if date else ""
        items.append(f"Version {escape_text(version)}{revision}")
    if licence := facts.get("license"):
        items.append(f"Licence: {escape_text(licence)}")
    if address:
        items.append(f'<a href="{escape_text(address["url"])}">Source code</a>')
    if facts:
        names = ", ".join(author["name"] for author in facts.get("authors", []) if "name" in author)
        year = f" ({date[:4]})" if date else ""
        cited = f"{names}{year}. {facts['title']}. Version {version}."
        items.append(f"Cite as: {escape_text(cited)}")
    return f'<p class="site-facts">{" · ".join(items)}</p>'


def _config(file: Path, address: dict[str, str] | None) -> dict:
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    config.setdefault("html", {})
    sphinx = config.setdefault("sphinx", {})
    sphinx["recursive_update"] = True  # otherwise the theme's options would replace those set here
    sphinx.setdefault("config", {})
    if address:
        config["repository"] = {**address, "path_to_book": "analysis"}
        config["html"] |= {"use_repository_button": True, "use_issues_button": True}
        # no button for Colab, which would open the notebook without the packages that it needs
        config["launch_buttons"] = {"binderhub_url": "https://mybinder.org"}
    return config


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
