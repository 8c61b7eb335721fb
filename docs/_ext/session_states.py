"""The directive `session-states`: the connection's table of transitions, as the code has it at the time of the build."""

from __future__ import annotations

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from twilio_conversations.wire import transitions


class SessionStates(SphinxDirective):
    """Renders `twilio_conversations.wire.transitions.TRANSITIONS`."""

    def run(self) -> list[nodes.Node]:
        """Return the parsed table, and have the page rebuilt when the module changes."""
        self.env.note_dependency(transitions.__file__)
        container = nodes.container()
        lines = transitions.render_markdown().splitlines()
        self.state.nested_parse(StringList(lines, source=transitions.__file__), self.content_offset, container)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("session-states", SessionStates)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
