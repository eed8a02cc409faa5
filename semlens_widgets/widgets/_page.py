"""A gallery as one page of its own: what the kernel answers is recorded, nothing else is needed."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING, Any

from semlens_widgets.widgets._base import asset

if TYPE_CHECKING:
    from pathlib import Path

    from semlens_widgets.widgets.gallery import ConceptGallery

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src blob: data:"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>:root {{ color-scheme: light dark; }} body {{ margin: 1rem; }}
{style}</style>
</head>
<body>
<div id="slw-view"></div>
<script type="application/json" id="slw-page">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def gallery_page(gallery: ConceptGallery) -> str:
    """Return a page (HTML) that shows the gallery's neuron without kernel and network.

    Raises
    ------
    ValueError
        If the gallery shows no neuron.
    """
    if gallery.active is None:
        raise ValueError("The gallery shows no neuron; choose one first (active).")
    names = (*gallery.view_traits, "_crops", "_poles", "_revision")
    traits = {name: getattr(gallery, name) for name in names}
    layer, neuron = gallery.active
    # The images themselves stay where they are; a page holds the small ones.
    traits |= {"active": {"layer": layer, "neuron": neuron}, "_originals": False, "_still": ""}
    return _PAGE.format(
        policy=html.escape(_POLICY),
        title=html.escape(repr(gallery)),
        style=_text(asset("page.css")),
        data=_in_script(json.dumps({"traits": traits, "recorded": _recorded(gallery)})),
        script=_text(asset("page.js")).replace("</script", r"<\/script"),
    )


def _recorded(gallery: ConceptGallery) -> list[dict[str, Any]]:
    """Ask all that the gallery may ask of its neuron; about many images, of each by itself."""
    assert gallery.active is not None  # noqa: S101 - the caller has seen to it
    layer, neuron = gallery.active
    of = {"layer": layer, "neuron": neuron}
    recorded = [_answer(gallery, "neuron", of), _answer(gallery, "clusters", of)]
    for example in recorded[0]["result"]["examples"]:
        samples = {"samples": [example["sample"]]}
        recorded.append(_answer(gallery, "thumbnails", samples))
        recorded.append(_answer(gallery, "heatmaps", {**of, **samples}))
    return recorded


def _answer(gallery: ConceptGallery, method: str, params: dict[str, Any]) -> dict[str, Any]:
    result, buffers = gallery._requests[method](gallery, params)  # noqa: SLF001 - of this family
    encoded = [base64.b64encode(one).decode("ascii") for one in buffers]
    return {"method": method, "params": params, "result": result, "buffers": encoded}


def _in_script(text: str) -> str:
    """Return JSON that no browser takes for the end of a script, whatever is in it."""
    return text.replace("<", "\\u003c")


def _text(file: Path | str) -> str:
    return file if isinstance(file, str) else file.read_text("utf-8")
