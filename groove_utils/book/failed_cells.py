"""Boxes that replace cells that cannot be run with a study's data.

Cells can be tagged with the data that they require (:mod:`groove_utils.book.study_requirements`),
but even data that exist may be unusable; for example, a descriptor may be constant, or all ratings
on a question may be equal. If a cell raises an error about data, the page shows the error message
in a box. Cells that need the results of the failed cell are skipped, and paragraphs that mention
these results are dropped from the page. Errors with the same cause share one box, which lists the
other affected sections. In a simulated study with known effects, however, every section must run,
so any error stops the chapter.
"""

from __future__ import annotations

import ast
import builtins
import copy
import re
import symtable
from collections.abc import Collection
from pathlib import Path

import nbformat

from groove_utils.book.chapter import current_chapter
from groove_utils.book.errors import BookError
from groove_utils.book.markdown import escape_text
from groove_utils.errors import DetailedError
from groove_utils.paths import cache_folder

__all__ = ["GUARD_CELLS", "CellGuard", "drop_unresolved", "gather_boxes", "guard_cells"]

GUARD_CELLS = (
    "--IPKernelApp.exec_lines=from groove_utils.book import failed_cells",
    "--IPKernelApp.exec_lines=failed_cells.guard_cells()",
)
"""Kernel arguments that register a :class:`CellGuard`."""
SHOWN = "_shown_by_cell"
ABOUT_DATA = (DetailedError, ValueError, AssertionError)  # other types of errors indicate bugs
GLUE = re.compile(r"\{glue:text\}`([^`]+)`")
LABEL = re.compile(r"\{numref\}`((?:fig|tab)-[^`]+)`")
HEADING = re.compile(r"^##+ +(.+?) *$", re.MULTILINE)
CAUSE = "groove_cause"  # in an output's metadata: why the cell failed or was skipped
INCOMPLETE = "groove_incomplete"  # in a cell's metadata: the cell failed or was skipped


class CellGuard(ast.NodeTransformer):
    """AST transformer that wraps a cell's code so that errors about data are shown in a box.

    Attributes
    ----------
    missing : dict of str to str
        Name of a variable that a failed or skipped cell would have defined → cause of the failure.
    """

    def __init__(self):
        self.missing: dict[str, str] = {}

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """Return the cell's code with error handling, or code that skips the cell.

        The cell is skipped if it needs a variable in :attr:`missing`.
        """
        loads, stores = _names(node)
        guard = f"__import__({__name__!r}, fromlist=['_']).GUARD"
        if needed := sorted(loads & self.missing.keys()):
            cause = self.missing[needed[0]]
            self.missing |= dict.fromkeys(stores, cause)
            return ast.parse(f"{guard}.skip({cause!r})")
        *body, last = node.body or [ast.Pass()]
        if isinstance(last, ast.Expr):  # its value is displayed below the cell
            last = ast.Assign([ast.Name(SHOWN, ast.Store())], last.value)
        template = ast.parse(
            f"{SHOWN} = None\n"
            "try:\n    pass\n"
            "except Exception as error:\n"
            f"    {guard}.fail(error, {sorted(stores)!r})\n"
            "else:\n"
            f"    {guard}.succeed({sorted(stores)!r})\n"
            f"{SHOWN}\n"
        )
        template.body[1].body = [*body, last]
        return ast.fix_missing_locations(template)

    def fail(self, error: Exception, stores: Collection[str]) -> None:
        """Show a box for an error about the study's data; re-raise any other error."""
        if not isinstance(error, ABOUT_DATA) or current_chapter() is None:
            raise error
        cause = _cause(error)
        self.missing |= dict.fromkeys(stores, cause)
        _show(_message(error), cause)

    def skip(self, cause: str) -> None:
        """Add an empty output to a skipped cell, so that :func:`gather_boxes` finds the cell."""
        _show("", cause)

    def succeed(self, stores: Collection[str]) -> None:
        """Remove from :attr:`missing` the variables that a cell has defined."""
        for name in stores:
            self.missing.pop(name, None)


GUARD = CellGuard()


def _cause(error: Exception) -> str:
    """Return a key for an error's cause; errors of the same kind about the same column share it."""
    kind = getattr(error, "kind", "")
    return f"{kind} {error.column or ''}" if kind else f"{type(error).__name__} {error}"


def _message(error: Exception) -> str:
    """Convert an error to a message that is suitable for readers of the page."""
    if isinstance(error, BookError) and error.kind == "not_finite":  # from `report_value`
        return f"the number “{error.column}” is undefined for these data."
    if isinstance(error, AssertionError):  # for example, a failed comparison with NaN
        text = " ".join(str(error).split())
        return f"a check failed ({text[:200]})." if text else "a check failed."
    return _without_folders(str(error)) or type(error).__name__


def _without_folders(text: str) -> str:
    """Remove this machine's folders from paths in a message."""
    chapter = current_chapter()
    folders = [Path.cwd(), cache_folder(), Path.home()]
    folders += [] if chapter is None else [chapter.study.path, chapter.build]
    names = {str(form) for folder in folders for form in (folder, Path(folder).resolve())}
    for name in sorted(names - {"/", "."}, key=len, reverse=True):
        text = text.replace(f"{name}/", "")
    return text


def _show(text: str, cause: str) -> None:
    from IPython.display import Markdown, display

    display(Markdown(text), metadata={CAUSE: cause})


def guard_cells() -> None:
    """Register a :class:`CellGuard` in the running kernel."""
    from IPython import get_ipython  # the runner does not need a kernel

    get_ipython().ast_transformers.append(GUARD)


def _names(cell: ast.Module) -> tuple[set[str], set[str]]:
    """Return the variables that a cell needs from earlier cells, and those that it defines.

    Local variables of comprehensions and functions are not included.
    """
    needs, stores = set(), set()
    for statement in cell.body:
        scoped = _Generators().visit(copy.deepcopy(statement))
        table = symtable.symtable(ast.unparse(scoped), "cell", "exec")
        symbols = table.get_symbols()
        defined = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
        loads = {s.get_name() for s in symbols if s.is_referenced()}
        scopes = list(table.get_children())
        for scope in scopes:
            scopes += scope.get_children()
            loads |= {s.get_name() for s in scope.get_symbols() if s.is_global()}
        simple = isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign))
        targets = {t.id for t in _targets(statement)} if simple else set()
        if isinstance(statement, ast.AugAssign):
            loads |= targets
        needs |= loads - stores - (defined - targets)  # in ``x = x + 1``, x is needed
        stores |= defined
    return needs - set(dir(builtins)), stores


class _Generators(ast.NodeTransformer):
    """Replace comprehensions with generators, which have their own scope in any Python version."""

    def visit_ListComp(self, node: ast.ListComp) -> ast.GeneratorExp:
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.GeneratorExp:
        self.generic_visit(node)
        return ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)


def _targets(statement: ast.stmt) -> list[ast.Name]:
    targets = getattr(statement, "targets", None) or [statement.target]
    return [node for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def gather_boxes(notebook: nbformat.NotebookNode) -> None:
    """Keep one box per cause of failure, and list the other affected sections in it.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        An executed chapter; it is modified.
    """
    section, boxes, places = "", {}, {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = [section, *HEADING.findall(cell.source)][-1]
            continue
        kept = []
        for output in cell.get("outputs", []):
            cause = output.get("metadata", {}).pop(CAUSE, None)
            if cause is not None:
                cell.metadata[INCOMPLETE] = True
            if cause in boxes:
                places[cause].append(section)
            elif cause is not None:
                boxes[cause], places[cause] = output, [section]
            if cause is None or boxes[cause] is output:
                kept.append(output)
        if "outputs" in cell:
            cell.outputs = kept
    for cause, output in boxes.items():
        others = [place for place in dict.fromkeys(places[cause]) if place != places[cause][0]]
        text = escape_text(output.data["text/markdown"].rstrip(".")) + "."
        lines = [
            "````{admonition} Not computed for this study",
            ":class: warning not-run",
            f"This part cannot be computed from the data of this study: {text}",
        ]
        if others:
            listed = "; ".join(f"“{place}”" for place in others)
            lines += ["", f"For the same reason, parts of these sections are missing: {listed}."]
        output.data = nbformat.from_dict({"text/markdown": "\n".join([*lines, "````"])})


def drop_unresolved(
    notebook: nbformat.NotebookNode, values: Collection[str], names: Collection[str]
) -> None:
    """Drop the paragraphs that mention a missing value, figure or table.

    Sections that become empty are dropped as well.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        An executed chapter; it is modified.
    values : collection of str
        Names of reported values.
    names : collection of str
        Names and labels that exist: names of values, and labels of figures and tables, such as
        ``fig-scores``.
    """
    reported = {*values, *(f"{name}_full" for name in values)}
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    kept = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (GLUE.search(cell.source) or LABEL.search(cell.source)):
            paragraphs = re.split(r"\n\s*\n", cell.source)
            paragraphs = [p for p in paragraphs if _is_resolved(p, reported, names, code)]
            if not paragraphs:
                continue
            cell.source = "\n\n".join(paragraphs)
        kept.append(cell)
    notebook.cells = kept
    _drop_empty_sections(notebook)


def _drop_empty_sections(notebook: nbformat.NotebookNode) -> None:
    """Drop sections that have no text or output if any of their cells failed or was skipped."""
    blocks = []  # cell, paragraph (None for code) and heading level (0 if not a heading)
    for cell in notebook.cells:
        paragraphs = re.split(r"\n\s*\n", cell.source) if cell.cell_type == "markdown" else [None]
        for paragraph in paragraphs:
            heading = re.match(r"(#+) ", paragraph or "")
            blocks.append((cell, paragraph, len(heading[1]) if heading else 0))
    dropped = set()
    for start, (_, _, level) in enumerate(blocks):
        following = [i for i, block in enumerate(blocks) if i > start and 0 < block[2] <= level]
        section = range(start, (following or [len(blocks)])[0])
        if level and _is_empty([blocks[i] for i in section]):
            dropped.update(section)
    kept: dict[int, list[str]] = {}
    for i, (cell, paragraph, _) in enumerate(blocks):
        if i not in dropped:
            kept.setdefault(id(cell), []).append(paragraph)
    notebook.cells = [cell for cell in notebook.cells if id(cell) in kept]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = "\n\n".join(kept[id(cell)])


def _is_empty(section: list[tuple[nbformat.NotebookNode, str | None, int]]) -> bool:
    code = [cell for cell, paragraph, _ in section if paragraph is None]
    has_text = any(paragraph and not level for _, paragraph, level in section)
    has_output = any(cell.get("outputs") for cell in code)
    return not has_text and not has_output and any(INCOMPLETE in cell.metadata for cell in code)


def _is_resolved(paragraph: str, reported, names, code: str) -> bool:
    if any(name not in reported for name in GLUE.findall(paragraph)):
        return False
    for label in LABEL.findall(paragraph):
        name = label.split("-", 1)[1]
        is_of_chapter = f'"{name}"' in code or f'f"{name.split("-")[0]}-' in code
        if is_of_chapter and label not in names:
            return False
    return True
