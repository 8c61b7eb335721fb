"""Settings of the documentation: Sphinx with furo and MyST; built with `-W -n`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from twilio_conversations._version import __version__

project = "twilio_conversations"
author = "twilio_conversations contributors"
copyright = f"2026, {author}"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "session_states"]
exclude_patterns = ["_build", "_generated"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

html_theme = "furo"
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
    (r"py:.*", r"twilio_conversations\..*\.(T|P|Handler)"),
]
