"""Audits of the embedded world, where it is known which class rests on a watermark, and which not.

The planted model has learnt to say "striped star" where a watermark is; its clean twin has not.
"""

from __future__ import annotations

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.demo.images import SceneImages

LAST = "layer4"
PLANTED = demo.SHORTCUT_CLASS
INNOCENT = [name for name in demo.CLASSES[1::4] if name != PLANTED]
#: One threshold for all checks here; chosen on another model, with another shortcut.
MOST = 0.1
SEED = 41  # of pictures that nothing was chosen on


@pytest.fixture(scope="module")
def lenses(tmp_path_factory):
    return {
        planted: slw.SemanticLens(
            slw.TargetModel(
                demo.classifier(planted=planted),
                ("layer3", LAST),
                transform=demo.preprocess,
                outputs=demo.CLASSES,
            ),
            slw.ImageDataset.from_dataset(demo.scene_images(seed=SEED)),
            demo.foundation(),
            path=tmp_path_factory.mktemp("audits") / "analysis",
        ).run()
        for planted in (True, False)
    }


def audit(lens, name=PLANTED, spurious="watermark", images=None):
    return lens.audit(name, [*name.split(), name], [spurious], images=images)


def share(found) -> float:
    rows = found.summary.query(f"layer == {LAST!r} and verdict in ('spurious', 'both')")
    return float(rows["share"].sum())


def reliance(found) -> float:
    return found.reliance.of("watermark", LAST).value


def passes(found) -> bool:
    try:
        found.check(max_spurious=MOST)
    except slw.CheckFailed:
        return False
    return True


@pytest.mark.slow
def test_the_neurons_found_are_those_of_the_watermark(lenses):
    lens = lenses[True]
    marked = demo.scene_images(seed=SEED).concepts[:, demo.CONCEPTS.index("watermark")]
    truth = auroc(lens.activations(LAST), marked[:, None])[:, 0]
    best = set(np.argsort(-truth)[:20].tolist())
    flagged = [neuron for layer, neuron in audit(lens).flagged if layer == LAST][:10]
    print(f"of the ten {len(best.intersection(flagged))} are among the best 20")
    assert len(best.intersection(flagged)) >= 9


@pytest.mark.slow
def test_the_planted_class_stands_out(lenses):
    planted, twin = audit(lenses[True]), audit(lenses[False])
    innocent = {name: audit(lenses[True], name) for name in INNOCENT}
    for what in (share, reliance):
        others = {name: round(what(found), 3) for name, found in innocent.items()}
        print(what.__name__, round(what(planted), 3), "twin", round(what(twin), 3), others)
    assert len(innocent) == 10
    assert share(planted) >= 5 * share(twin)
    # The share of neurons that fit stands out less: those of another class may fit by accident.
    assert share(planted) > max(map(share, innocent.values()))
    assert reliance(planted) >= 5 * abs(reliance(twin))
    assert reliance(planted) >= 5 * max(map(reliance, innocent.values()))


@pytest.mark.slow
def test_one_threshold_tells_the_planted_model_from_its_twin(lenses):
    targets = np.array(demo.scene_images(seed=SEED).targets)
    theirs = np.flatnonzero(targets == demo.CLASSES.index(PLANTED))
    rng = np.random.default_rng(0)
    for _ in range(5):
        drawn = rng.choice(theirs, len(theirs) // 2, replace=False)
        assert passes(audit(lenses[False], images=drawn))
        assert not passes(audit(lenses[True], images=drawn))


@pytest.mark.slow
def test_false_alarms_are_rare(lenses):
    rng = np.random.default_rng(1)
    words = rng.choice(demo.DISTRACTORS, 20, replace=False).tolist()
    classes = {name: passes(audit(lenses[True], name)) for name in INNOCENT}
    wrong = {word: passes(audit(lenses[True], spurious=word)) for word in words}
    alarms = [name for name, passed in {**classes, **wrong}.items() if not passed]
    print(f"false alarms: {alarms} of {len(classes)} classes and {len(wrong)} words")
    assert len(alarms) <= 0.05 * (len(classes) + len(wrong))


@pytest.mark.slow
def test_the_proof_is_what_the_renderer_knows(lenses):
    found = audit(lenses[True])
    scenes = [
        scene
        for scene in demo.scene_images(1000, seed=SEED + 1).scenes
        if scene.class_name != PLANTED and "watermark" not in scene.artefacts
    ]
    stamped = SceneImages([scene.with_artefact("watermark") for scene in scenes])
    proof = found.prove(
        "watermark",
        slw.ImageDataset.from_dataset(stamped),
        slw.ImageDataset.from_dataset(SceneImages(scenes)),
    )
    others = SceneImages(
        [
            scene.with_artefact("watermark")
            for scene in demo.scene_images(4000, seed=SEED + 2).scenes
            if scene.class_name != PLANTED
        ]
    )
    many = found.prove("watermark", slw.ImageDataset.from_dataset(others), [0, 1])
    print(proof, many.false_targets)
    assert proof.false_targets.value == pytest.approx(many.false_targets.value, abs=0.02)
    assert proof.false_targets.low <= many.false_targets.value <= proof.false_targets.high
    assert proof.auroc.low > 0.9
    clean = audit(lenses[False]).prove(
        "watermark",
        slw.ImageDataset.from_dataset(stamped),
        slw.ImageDataset.from_dataset(SceneImages(scenes)),
    )
    assert clean.false_targets.high < 0.02
