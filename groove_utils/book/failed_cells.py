"""Boxes in place of cells that cannot be computed from a study's data.

Requirements of cells (:mod:`groove_utils.book.study_requirements`) cover what a study lacks
altogether. Data can also be unusable in ways that no tag names: a constant descriptor, a question
to which everybody gave the same answer, a single listener. In a reader's study, a cell that raises
an error about data is then replaced by a box with the message; cells that need its results are
skipped, and sentences that mention them are dropped from the page. In a catalogued simulation,
where every section must run, errors stop the chapter.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Collection

import nbformat

from groove_utils.book.chapter import current_chapter
from groove_utils.book.markdown import escape_text
from groove_utils.errors import DetailedError

__all__ = ["GUARD_CELLS", "CellGuard", "drop_unresolved", "guard_cells"]

GUARD_CELLS = (
    "--IPKernelApp.exec_lines=from groove_utils.book import failed_cells",
    "--IPKernelApp.exec_lines=failed_cells.guard_cells()",
)
"""Arguments of a kernel that guards its cells."""
SHOWN = "_shown_by_cell"
ABOUT_DATA = (DetailedError, ValueError)  # others are errors of the code
GLUE = re.compile(r"\{glue:text\}`([^`]+)`")
LABEL = re.compile(r"\{numref\}`((?:fig|tab)-[^`]+)`")


class CellGuard(ast.NodeTransformer):
    """Wrap the code of a cell so that an error becomes a box.

    Attributes
    ----------
    missing : set of str
        Names that failed or skipped cells would have defined.
    """

    def __init__(self):
        self.missing: set[str] = set()

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """Return the module to run: nothing, if it needs a missing name."""
        loads, stores = _names(node)
        if loads & self.missing:
            self.missing |= stores
            return ast.Module(body=[], type_ignores=[])
        *body, last = node.body or [ast.Pass()]
        if isinstance(last, ast.Expr):  # its value is shown, as that of a cell
            last = ast.Assign([ast.Name(SHOWN, ast.Store())], last.value)
        template = ast.parse(
            f"{SHOWN} = None\n"
            "try:\n    pass\n"
            "except Exception as error:\n"
            f"    __import__({__name__!r}, fromlist=['_']).GUARD.fail(error, {sorted(stores)!r})\n"
            "else:\n"
            f"    __import__({__name__!r}, fromlist=['_']).GUARD.succeed({sorted(stores)!r})\n"
            f"{SHOWN}\n"
        )
        template.body[1].body = [*body, last]
        return ast.fix_missing_locations(template)

    def fail(self, error: Exception, stores: Collection[str]) -> None:
        """Show a box, or raise the error again if it is not about the study's data."""
        if not isinstance(error, ABOUT_DATA) or current_chapter() is None:
            raise error
        from IPython.display import Markdown, display

        self.missing |= set(stores)
        message = escape_text(str(error) or type(error).__name__)
        display(
            Markdown(
                "````{admonition} Not computed for this study\n:class: warning not-run\n"
                f"The data of this study do not allow this part: {message}\n````"
            )
        )

    def succeed(self, stores: Collection[str]) -> None:
        """Forget names that are defined now."""
        self.missing -= set(stores)


GUARD = CellGuard()


def guard_cells() -> None:
    """Guard the cells of the running kernel."""
    from IPython import get_ipython  # the runner needs no kernel

    get_ipython().ast_transformers.append(GUARD)


def _names(cell: ast.Module) -> tuple[set[str], set[str]]:
    """Names that a cell needs from earlier cells, and names that it defines."""
    needs, stores = set(), set()
    for statement in cell.body:
        loads, own = set(), set()
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                (loads if isinstance(node.ctx, ast.Load) else own).add(node.id)
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                own.add(node.name)
            elif isinstance(node, ast.arg):
                own.add(node.arg)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                own |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        simple = isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign))
        targets = {t.id for t in _targets(statement)} if simple else set()
        needs |= loads - stores - (own - targets)  # in ``x = x + 1``, x is needed
        stores |= own
    return needs - set(dir(builtins)), stores


def _targets(statement: ast.stmt) -> list[ast.Name]:
    targets = getattr(statement, "targets", None) or [statement.target]
    return [node for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def drop_unresolved(
    notebook: nbformat.NotebookNode, values: Collection[str], names: Collection[str]
) -> None:
    """Drop the paragraphs that mention a value or a figure that was not made.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        An executed chapter; it is changed.
    values : collection of str
        Names of reported values.
    names : collection of str
        Reserved names: values, and labels such as ``fig-scores``.
    """
    known = {*values, *(f"{name}_full" for name in values)}
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    kept = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (GLUE.search(cell.source) or LABEL.search(cell.source)):
            paragraphs = re.split(r"\n\s*\n", cell.source)
            paragraphs = [p for p in paragraphs if _is_resolved(p, known, names, code)]
            if not paragraphs:
                continue
            cell.source = "\n\n".join(paragraphs)
        kept.append(cell)
    notebook.cells = kept


def _is_resolved(paragraph: str, known, names, code: str) -> bool:
    if any(name not in known for name in GLUE.findall(paragraph)):
        return False
    for label in LABEL.findall(paragraph):
        name = label.split("-", 1)[1]
        own = f'"{name}"' in code or f'f"{name.split("-")[0]}-' in code
        if own and label not in names:
            return False
    return True
