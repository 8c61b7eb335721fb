"""The directive `official-api`: the official SDK's names and their counterparts, from the table that the tests check."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

TABLE = Path(__file__).parents[2] / "tests" / "api_surface.toml"


def rows_of(prefixes: list[str]) -> list[dict[str, Any]]:
    """Return the rows of the tables with these two-letter names, in the file's order."""
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return [row for key, row in rows.items() if key[:2] in prefixes]


def counterpart(row: dict[str, Any]) -> str:
    """Return the Markdown cell that shows what a row became here."""
    if "not_ported" in row:
        return f"not here: {row['not_ported']}"
    name = row["name"]
    if "parameter" in row:
        return f"`{name}({row['parameter']}=...)`"
    if "signature" in row:
        return f"`{name}{row['signature'].split(' -> ')[0]}`"
    return f"`{name}`"


def render_markdown(prefixes: list[str]) -> str:
    """Return a Markdown table of two columns; equal rows stand once."""
    rows = [(f"`{row['js']}`", counterpart(row)) for row in rows_of(prefixes)]
    escaped = [tuple(cell.replace("|", "\\|") for cell in row) for row in dict.fromkeys(rows)]
    return "\n".join(["| Official | Here |", "| --- | --- |", *(f"| {js} | {here} |" for js, here in escaped)])


class OfficialApi(SphinxDirective):
    """Renders the rows whose tables are named as arguments, such as ``CL EM``."""

    required_arguments = 1
    optional_arguments = 9
    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Return the parsed table, and have the page rebuilt when the file changes."""
        self.env.note_dependency(str(TABLE))
        container = nodes.container()
        lines = render_markdown(self.arguments).splitlines()
        self.state.nested_parse(StringList(lines, source=str(TABLE)), self.content_offset, container)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("official-api", OfficialApi)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
