"""A page answers what the kernel answers: every question of every view, value and bytes."""

from __future__ import annotations

import base64
import json
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.widgets._page.models import family
from semlens_widgets.widgets._page.pool import OF_MANY, coarser, smaller
from tests.unit.evolution_world import steps

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from semlens_widgets.widgets._base import LensWidget

EXAMPLES = 4
#: What of an answer the page holds the first few of.
SHORTENED = {
    "neuron": "examples", "pairs": "pairs", "node": "examples", "class_images": "images",
}  # fmt: skip


def explorer_of(lens: slw.SemanticLens) -> slw.Explorer:
    explorer = lens.explore(active=("seen", 1))
    explorer.audit.audit = lens.audit("red", ["red"], ["blue"])
    explorer.audit.audit.decide("seen", 0, "reject", "dust")
    explorer.trace.trace = lens.trace("red")
    explorer.map.selection = np.array([0, 2], np.uint32).tobytes()
    return explorer


@pytest.fixture(scope="module")
def evolved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, slw.SemanticLens]:
    return steps(tmp_path_factory.mktemp("steps"))


@pytest.fixture(params=["explorer", "compare", "evolution"])
def view(request: pytest.FixtureRequest) -> LensWidget:
    if request.param == "explorer":
        lens = request.getfixturevalue("colour_lens")().run()
        lens.label(["red", "green", "blue"], scorer="csp")
        return explorer_of(lens)
    lenses = request.getfixturevalue("evolved")
    if request.param == "compare":
        return slw.compare({name: lenses[name] for name in list(lenses)[:2]}).view()
    return slw.evolution(lenses).show()


def told_by_kernel(view: LensWidget, method: str, params: dict[str, Any]) -> set[str]:
    """What the widgets answer, as one text each: by all of them that can."""
    told = set()
    for widget in family(view):
        if (handler := widget._requests.get(method)) is None:
            continue
        try:
            result, buffers = handler(widget, params)
        except (ValueError, KeyError):  # another view's question, such as of an audit
            continue
        if method in SHORTENED:
            result = {**result, SHORTENED[method]: result[SHORTENED[method]][:EXAMPLES]}
        kept = [smaller(one) if one[:3] == b"\xff\xd8\xff" else one for one in buffers]
        if method == "heatmaps":
            kept = [coarser(one) for one in kept]
        told.add(as_text(result, [base64.b64encode(one).decode() for one in kept]))
    return told


def as_text(result: Any, buffers: list[str]) -> str:
    return json.dumps([result, buffers], sort_keys=True)


def test_a_page_answers_as_the_kernel_does(
    view: LensWidget, asking: str, browser: Browser, tmp_path: Path
):
    view.to_html(tmp_path / "page.html", examples=EXAMPLES)
    context = browser.new_context(offline=True)
    try:
        page = context.new_page()
        page.goto((tmp_path / "page.html").as_uri())
        page.evaluate(f"() => {{ {asking}; window.asking = asking; }}")
        told = page.evaluate("asking.askAll([])")
        methods = {method for method, *_ in told}
        can = {method for widget in family(view) for method in widget._requests}
        # Computed in the page, or of the whole images, the model and what is made anew.
        absent = {"search", "scores", "beside", "chance", "vocabulary", "original", "classes",
                  "traceable", "column", "labels"}  # fmt: skip
        assert methods == can - absent
        for method, params, result, buffers in told:
            said = [json.loads(one) for one in told_by_kernel(view, method, params)]
            mine = json.loads(as_text(result, buffers))
            assert mine in said, (method, params)
            # A view that shows examples alone has no picture of another image, and never asks.
            others = [one for one in said if one != mine]
            assert all(method == "thumbnails" and one[0]["errors"] != [None] for one in others)

        # Many things at once, in any order and some twice.
        draw = random.Random(1)  # noqa: S311 -- no secret
        more = []
        for method, (name, _) in OF_MANY.items():
            asked = [params for one, params, *_ in told if one == method]
            if not asked:
                continue
            of = {key: value for key, value in draw.choice(asked).items() if key != name}
            things = [one[name][0] for one in asked if {**one, name: 0} == {**of, name: 0}]
            draw.shuffle(things)
            more.append([method, {**of, name: things[:20] + things[:2]}])
        for method, params, result, buffers in page.evaluate("asking.askAll", more)[len(told) :]:
            said = told_by_kernel(view, method, params)
            if method != "offers":  # which are of each neuron once, in the kernel
                assert json.loads(as_text(result, buffers)) in [json.loads(one) for one in said]
    finally:
        context.close()
