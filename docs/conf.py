"""Settings of the documentation: Sphinx with furo and MyST; built with `-W -n`."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from sphinx.application import Sphinx

from twilio_conversations._version import __version__
from twilio_conversations.events.emitter import EventEmitter
from twilio_conversations.models.base import Model

project = "twilio_conversations"
author = "twilio_conversations contributors"
copyright = f"2026, {author}"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "state_tables", "official_api", "llms_txt"]
exclude_patterns = ["_build", "_generated"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_js_files = ["offline_search.js"]
html_title = f"twilio_conversations {release}"

# In docstrings a name in single backticks is code, whether it can be linked or not.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# No page of another project is fetched during a build, so names from outside this package have nothing to link to.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!twilio_conversations).*"),
    (r"py:.*", r"twilio_conversations\..*\.(F|T|P|Handler|Payload|Sender)"),
]


def hide_private_bases(app: Sphinx, name: str, thing: type, options: Any, bases: list[Any]) -> None:
    """Show the bases that a reader can look up: not the private ones, and no type parameters."""
    if issubclass(thing, enum.Enum):
        bases[:] = [enum.StrEnum]
    elif issubclass(thing, EventEmitter) and thing is not EventEmitter:
        bases[:] = [Model] if issubclass(thing, Model) and thing is not Model else [EventEmitter]
    else:
        bases[:] = [base for base in bases if not getattr(base, "__name__", "").startswith("_")] or [object]


def hide_constructors(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str, None] | None:
    """Leave out how models and subscriptions are made: only the client makes them."""
    made_by_client = (
        what == "class"
        and thing.__module__ != "twilio_conversations.client.client"
        and (issubclass(thing, EventEmitter) or thing.__name__ in {"EventStream", "RestPaginator", "Signals", "Subscription"})
    )
    return ("", None) if made_by_client else None


def setup(app: Sphinx) -> None:
    """Connect the two."""
    app.connect("autodoc-process-bases", hide_private_bases)
    app.connect("autodoc-process-signature", hide_constructors)
