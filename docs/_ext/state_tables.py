"""The directive `state-table`: a module's table of transitions, as the code has it at the time of the build."""

from __future__ import annotations

import importlib
from typing import ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class StateTable(SphinxDirective):
    """Renders the `TRANSITIONS` of the module that is its argument, a name below `twilio_conversations`."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Return the parsed table, and have the page rebuilt when the module changes."""
        module = importlib.import_module(f"twilio_conversations.{self.arguments[0]}")
        source = str(module.__file__)
        self.env.note_dependency(source)
        container = nodes.container()
        lines = module.render_markdown().splitlines()
        self.state.nested_parse(StringList(lines, source=source), self.content_offset, container)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("state-table", StateTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
