"""How the site is made of the pages, the notebooks as they are stored, and the docstrings."""

from __future__ import annotations

from pathlib import Path

import semlens_widgets

project = "semlens-widgets"
author = "the semlens-widgets developers"
release = version = semlens_widgets.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]

# The sources are the repository's root: a page's links are the same here and beside the code.
root_doc = "docs/index"
include_patterns = ["CHANGELOG.md", "docs/**", "notebooks/*.ipynb"]
exclude_patterns = [".*", "**/.*", "build", "dist", "js", "semlens_widgets", "tests"]

nb_execution_mode = "off"
nb_mime_priority_overrides = [
    ("html", "application/vnd.jupyter.widget-view+json", None),  # needs a kernel
    ("html", "image/png", 10),
]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["ref.python"]  # "(layer, neuron)" as a type: several widgets have a `layer`

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "mixed"
napoleon_google_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]
add_module_names = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = "semlens-widgets"
html_extra_path = ["site/index.html"]
html_static_path = ["site/site.css"]
html_css_files = ["site.css"]
pygments_dark_style = "github-dark"
html_show_sphinx = False

# An explorer that works in the page, where somebody has written one.
EXPLORER = Path(__file__).parents[1] / "build" / "explorer.html"
if EXPLORER.is_file():
    tags.add("explorer")  # noqa: F821 - Sphinx has it at hand here
    html_extra_path.append(str(EXPLORER))
