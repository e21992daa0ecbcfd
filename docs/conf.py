"""How Sphinx builds the documentation: `sphinx-build -W docs build/docs`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

from vall_e_core import __version__  # noqa: E402 - the path comes first

project = "vall-e"
author = "The vall-e authors"
project_copyright = f"{author}. Apache-2.0"
release = version = __version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib.mermaid",
    "docstrings",
    "reference",
]
exclude_patterns = ["_ext"]
html_theme = "furo"
html_title = f"vall-e {release}"
html_static_path = ["_static"]
smartquotes = False  # --flag, not –flag

myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False

nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types of torch, numpy, and of private modules
