"""The file `llms.txt` for language models (llmstxt.org): all pages in sections, each page with its first sentence.

Sections and their order are the captioned tables of contents on the index page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_TABLE = re.compile(r"^```\{toctree\}\n(?:.*\n)*?:caption: (?P<caption>.+)\n\n(?P<names>(?:[^`\n]+\n)+)```$", re.MULTILINE)
_INCLUDED = re.compile(r"^```\{include\} (\S+)\n```$", re.MULTILINE)
_NO_PROSE = re.compile(r"#|```|[|]|- |<!--")
_SENTENCE = re.compile(r".+?[.!?](?=\s|$)")


class Page(NamedTuple):
    """A page: its title, and its first paragraph as one line of plain Markdown."""

    title: str
    paragraph: str

    @property
    def sentence(self) -> str:
        """The first sentence of the page."""
        found = _SENTENCE.match(self.paragraph)
        return found[0] if found else self.paragraph


def read(source: Path) -> Page:
    """Read title and first paragraph of a Markdown file.

    Raises:
        ValueError: it has no title, or no paragraph directly below it.
    """
    text = source.read_text(encoding="utf-8")
    text = _INCLUDED.sub(lambda found: (source.parent / found[1]).read_text(encoding="utf-8"), text)
    title, paragraph = [*text.strip().split("\n\n", 2), ""][:2]
    if not title.startswith("# ") or not paragraph.strip() or _NO_PROSE.match(paragraph):
        raise ValueError(f"{source} does not begin with a title and a paragraph")
    return Page(title.removeprefix("# "), plain(" ".join(paragraph.split())))


def plain(text: str) -> str:
    """Return Markdown without links and roles, whose targets belong to the page they are on."""
    text = re.sub(r"\{[\w:]+\}`~?(?:\w+\.)*(\w+)`", r"`\1`", text)
    return re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text)


def sections(index: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the caption of each table of contents of a page, and the names of the pages in it."""
    for table in _TABLE.finditer(index):
        yield table["caption"], table["names"].split()


def render(docs: Path, address: Callable[[str], str]) -> str:
    """Return the file for the pages below a folder; `address` returns where a page is found by its name.

    Raises:
        ValueError: a page has no first sentence, or is in no table of contents.
    """
    index = read(docs / "index.md")
    tables = list(sections((docs / "index.md").read_text(encoding="utf-8")))
    listed = {"index", *(name for _, names in tables for name in names)}
    names = (path.relative_to(docs).with_suffix("").as_posix() for path in docs.rglob("*.md"))
    there = {name for name in names if not name.startswith("_")}
    if there != listed:
        raise ValueError(f"pages that are in no table of contents, or are missing: {sorted(there ^ listed)}")
    lines = [f"# {index.title}", "", f"> {index.paragraph}", ""]
    lines += ["The Markdown of each page is below `_sources/`, such as `_sources/guides/bot.md.txt`."]
    for caption, names in tables:
        pages = ((name, read(docs / f"{name}.md")) for name in names)
        lines += ["", f"## {caption}", "", *(f"- [{page.title}]({address(name)}): {page.sentence}" for name, page in pages)]
    return "\n".join(lines) + "\n"


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the file beside the pages of a build that succeeded."""
    if exception is None and app.builder.format == "html":
        base = app.config.html_baseurl.rstrip("/") + "/" if app.config.html_baseurl else ""
        text = render(Path(app.srcdir), lambda name: base + app.builder.get_target_uri(name))
        Path(app.outdir, "llms.txt").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Have the file written at the end of a build."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
