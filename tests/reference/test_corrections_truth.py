"""What corrections of the planted shortcut cost and win, with and without the renderer's help.

One table of methods, on five draws of the pictures that it is fitted to and of those that it is
judged by. Annotated: the method is given pictures drawn without and with the watermark, whatever
their class. Unannotated: it knows what the audit knows, the flagged neurons with their examples,
and the data set's own images, on which the watermark gives the class away. Judged by plain torch.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.demo.images import SceneImages
from semlens_widgets.demo.world import sample_scene

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

    from semlens_widgets.lens.intervention import Intervention

PLANTED = demo.CLASSES.index(demo.SHORTCUT_CLASS)
SEEDS = range(5)
DATA = 41  # the seed of the pictures analysed, on which nothing was chosen
FITTED, TUNED, JUDGED = 2500, 1000, 1000
FLAGGED = 10
METHODS = ("zero", "mean", "clamp", "project")
ASSERTED = {
    ("neither", "as it is"),
    ("annotated", "project, refit"),
    ("unannotated", "zero, refit"),
}


def drawn(count: int, seed: int) -> list[demo.Scene]:
    rng = np.random.default_rng(seed)
    return [sample_scene(rng, 0.0) for _ in range(count)]


def marked(scenes: list[demo.Scene]) -> list[demo.Scene]:
    return [scene.with_artefact("watermark") for scene in scenes]


def pictures(scenes: list[demo.Scene]) -> slw.ImageDataset:
    return slw.ImageDataset.from_dataset(SceneImages(scenes))


def inputs(scenes: list[demo.Scene]) -> torch.Tensor:
    images = SceneImages(scenes)
    return torch.stack([demo.preprocess(images[at][0]) for at in range(len(scenes))])


@pytest.fixture(scope="module")
def lens(tmp_path_factory):
    return analysed(tmp_path_factory.mktemp("corrections") / "analysis")


def analysed(path: Path) -> slw.SemanticLens:
    target = slw.TargetModel(
        demo.classifier(), ["layer4"], transform=demo.preprocess, outputs=demo.CLASSES
    )
    images = slw.ImageDataset.from_dataset(demo.scene_images(seed=DATA))
    return slw.SemanticLens(target, images, demo.foundation(), path=path).run()


@cache
def judged(seed: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Pictures that no method has seen, clean and marked, and their classes."""
    scenes = drawn(JUDGED, 900 + seed)
    return inputs(scenes), inputs(marked(scenes)), np.array([one.class_index for one in scenes])


def figures(model: nn.Module, seed: int) -> dict[str, float]:
    clean, with_mark, truth = judged(seed)
    with torch.no_grad():
        said, then = (
            torch.cat([model(some) for some in images.split(256)]).argmax(1).numpy()
            for images in (clean, with_mark)
        )
    own = truth == PLANTED
    return {
        "accuracy": float((said == truth).mean()),
        "recall": float((said[own] == PLANTED).mean()),
        "false": float((then[~own] == PLANTED).mean()),
        "accuracy_marked": float((then == truth).mean()),
    }


def audited(lens, rng) -> list[tuple[str, int]]:
    """The ten neurons that an audit flags first, on three quarters of the class's images."""
    own = np.flatnonzero(np.array(demo.scene_images(seed=DATA).targets) == PLANTED)
    audit = lens.audit(
        demo.SHORTCUT_CLASS,
        demo.SHORTCUT_CLASS.split(),
        ["watermark"],
        images=rng.choice(own, len(own) * 3 // 4, replace=False),
    )
    return audit.flagged[:FLAGGED]


@pytest.fixture(scope="module")
def table(lens) -> pd.DataFrame:
    """What is asserted below; ``tests/benchmarks/test_bench_corrections.py`` has every method."""
    return corrected(lens, lambda *one: one in ASSERTED)


def corrected(lens, wanted: Callable[[str, str], bool]) -> pd.DataFrame:
    """Judge every wanted setting and method on every draw."""
    rows = []

    def judge(setting: str, method: str, seed: int, correct: Callable[[], Intervention]) -> None:
        if wanted(setting, method):
            found = figures(correct().model(), seed)
            rows.append({"setting": setting, "method": method, "seed": seed, **found})

    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        flagged = audited(lens, rng)
        changes = {how: lens.intervene(flagged, how) for how in METHODS}
        nothing = lens.intervene(flagged, "scale", amount=1)
        judge("neither", "as it is", seed, lambda nothing=nothing: nothing)
        for how, change in changes.items():
            judge("unannotated", how, seed, lambda change=change: change)
        known = rng.choice(len(lens.images), FITTED, replace=False)
        scenes = drawn(FITTED // 2, 500 + seed)
        pairs = [kind for one in scenes for kind in (one, one.with_artefact("watermark"))]
        for setting, images, few in (
            ("unannotated", known, known[:TUNED]),
            ("annotated", *(pictures(some) for some in (pairs, pairs[:TUNED]))),
        ):
            judge(setting, "refit", seed, partial(nothing.refit, images, controls=1))
            judge(setting, "finetune", seed, partial(nothing.finetune, few, epochs=1, controls=1))
            for how, change in changes.items():
                judge(setting, f"{how}, refit", seed, partial(change.refit, images, controls=1))
    frame = pd.DataFrame(rows)
    print(frame.groupby(["setting", "method"], sort=False).mean().drop(columns="seed").round(3))
    return frame


def of(table: pd.DataFrame, setting: str, method: str) -> pd.DataFrame:
    return table[(table["setting"] == setting) & (table["method"] == method)]


def test_the_model_needs_a_correction(table):
    assert of(table, "neither", "as it is")["false"].min() > 0.3


def test_with_annotations_a_last_layer_fitted_anew_removes_the_shortcut(table):
    rows = of(table, "annotated", "project, refit")
    assert rows["recall"].min() >= 0.95
    assert rows["false"].mean() <= 0.02


def test_with_what_an_audit_knows_most_of_it_goes(table):
    rows = of(table, "unannotated", "zero, refit")
    assert rows["recall"].min() >= 0.90
    assert rows["false"].mean() <= 0.05


def test_random_neurons_of_the_same_number_change_little(lens):
    scenes = marked([one for one in drawn(JUDGED, 900) if one.class_index != PLANTED])
    images = pictures(scenes)
    flagged = audited(lens, np.random.default_rng(0))
    effects = lens.intervene(flagged, "zero").effects(images=images)
    said = (effects.said == PLANTED).mean(axis=1)
    before, after, controls = said[0], said[1], said[2:].mean()
    assert after < before / 2
    assert controls == pytest.approx(before, rel=0.1)
