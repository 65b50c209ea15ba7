"""Text of links to chapters and other pages, such as “chapter 6” for ``{doc}`06-probing```.

By default, Sphinx inserts the title of the linked page. Many titles of chapters are questions,
which cannot be part of a sentence. This module, a Sphinx extension, replaces these titles.
"""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import docname_join

__all__ = ["link_text", "setup"]

ENDS = (".", "?", "!", ":", "→", "•")  # a link that follows one of these begins with a capital


def link_text(title: str, number: str = "", before: str = "", *, chapter: bool = True) -> str:
    """Return the text of a link to a page.

    Parameters
    ----------
    title : str
        Title of the page.
    number : str
        Number of the chapter; empty for pages without a number.
    before : str
        Text of the paragraph before the link.
    chapter : bool
        True for chapters, including those without a page of their own.

    Examples
    --------
    >>> link_text("Where is the beat?", "6", "as in"), link_text("Glossary", chapter=False)
    ('chapter 6', 'The page “Glossary”')
    >>> link_text("Where is the beat?", "6", "→"), link_text("Where is the beat?", before="as in")
    ('Chapter 6: Where is the beat?', 'the chapter “Where is the beat?”')
    """
    before = before.rstrip(" \n“(")
    if number:
        text = f"chapter {number}"
        if before.endswith("→"):
            text += f": {title}"
    else:
        text = f"the {'chapter' if chapter else 'page'} “{title}”"
    return text[0].upper() + text[1:] if not before or before.endswith(ENDS) else text


class PageLinks(SphinxPostTransform):
    """Set the text of links to pages that have no text of their own."""

    default_priority = 5  # before Sphinx inserts the titles

    def run(self, **kwargs) -> None:
        """Replace the name of the linked page with the text of the link."""
        for node in self.document.findall(addnodes.pending_xref):
            if node.get("reftype") != "doc" or node["refexplicit"]:
                continue
            page = docname_join(node.get("refdoc", self.env.docname), node["reftarget"])
            unanswered = self.config.unanswered_chapters.get(page)
            if page not in self.env.titles and unanswered is None:
                continue  # Sphinx warns that the page does not exist
            title = unanswered or self.env.titles[page].astext()
            number = ".".join(map(str, self.env.toc_secnumbers.get(page, {}).get("", ())))
            chapter = bool(number or unanswered)
            text = link_text(title, number, _text_before(node), chapter=chapter)
            node["refexplicit"] = True
            node.children = []
            node += nodes.inline(text, text, classes=["xref", "doc"])


def _text_before(node: nodes.Node) -> str:
    """Return the text before a node in its paragraph or table cell."""
    texts: list[str] = []
    while isinstance(node.parent, nodes.Inline | nodes.TextElement):
        siblings = node.parent.children[: node.parent.index(node)]
        texts[:0] = [sibling.astext() for sibling in siblings]
        node = node.parent
    return "".join(texts)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_post_transform(PageLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
