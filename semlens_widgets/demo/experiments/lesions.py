"""What an audit finds in a classifier of lesions, by a domain's foundation model and by another's.

Everything is done with pictures drawn anew, ten times: the classifier that rests on ink and its
clean twin are analysed with the CLIP that knows lesions and with that of the scenes, which does
not. What they say is compared with what the renderer knows.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

import semlens_widgets as slw
from semlens_widgets.analysis.audit import proportion
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.demo.analysis import release
from semlens_widgets.demo.captions import DISTRACTORS
from semlens_widgets.demo.experiments import store
from semlens_widgets.demo.experiments.runs import finished
from semlens_widgets.demo.models import foundation, preprocess
from semlens_widgets.demo.skin.analysis import lesion_target
from semlens_widgets.demo.skin.images import LESIONS, LesionImages, lesion_images
from semlens_widgets.demo.skin.models import ARTEFACT, SHORTCUT_CLASS, lesion_foundation
from semlens_widgets.demo.skin.world import ARTEFACTS, CLASSES, CONCEPTS, RULE, SIGNS
from semlens_widgets.lens.audit import ONE_SHARE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from semlens_widgets.demo.skin.world import Lesion
    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.audited import Audit
    from semlens_widgets.lens.intervene import How
    from semlens_widgets.lens.lens import SemanticLens

TITLE = "An audit of a classifier of lesions, by a domain's foundation model and by another's"

LAYER = "layer4"
PICTURES = 1200  # that an audit looks at
SEEDS = tuple(range(10))  # each draws other pictures
#: Reliance on an artefact that a check lets pass; the audits of scenes are judged by the same.
MOST = 0.1
CLASSIFIERS = {"planted": True, "clean": False}
FOUNDATIONS: dict[str, Callable[[], slw.OpenClip]] = {
    "domain": lesion_foundation,
    "general": foundation,
}
#: What an audit compares neurons and words by.
AUDITORS: dict[str, Scorer] = {
    "recognition": ONE_SHARE,
    "CSP γ = 1": slw.Csp(centred=False),
    "CSP γ = 1, centred": slw.Csp(),
    "SemanticLens": slw.Semantic(centred=False),
    "SemanticLens, centred": slw.Semantic(),
}
LABELLERS: dict[str, Scorer] = {**AUDITORS, "recognition": slw.Recognition()}
WAYS: tuple[How, ...] = ("zero", "mean", "project")
COUNTS = (1, 4, 16, 32)
#: Measures that are 1 or 0 in each draw.
HAPPENS = ("flagged", "not known")
_ANALYSED, _JUDGED = 7_000, 8_000  # added to a seed: pictures to analyse, pictures to judge by
_TRUTH_SEED, _TRUTHS = 9_000, 3_000
_EFFECTS = 600
_AT_ONCE = 250


def run(folder: Path, threads: int = 1, device: str = "cpu") -> None:  # noqa: ARG001 - none trains
    """Audit, correct and judge what the folder does not hold yet, and write the tables."""
    torch.set_num_threads(threads)
    folder = folder / release()  # what is measured of other weights is another result
    audits = finished(
        folder,
        {
            f"audit-{seed}-{classifier}-{known}": partial(audited, seed, classifier, known, folder)
            for seed in SEEDS
            for classifier in CLASSIFIERS
            for known in FOUNDATIONS
        },
        "audits",
    )
    corrections = finished(
        folder,
        {f"correction-{seed}": partial(corrected, seed, folder) for seed in SEEDS},
        "corrections",
    )
    tables = {"lesions-audits": by_draw(audits), "lesions-corrections": by_draw(corrections)}
    store(tables)
    for table in tables.values():
        print(summary(table).round(3).to_string(index=False))


def by_draw(table: pd.DataFrame) -> pd.DataFrame:
    """Put the values of all draws of the same thing side by side.

    Parameters
    ----------
    table
        From :func:`audited` or :func:`corrected`: seed, value, and columns that say of what.

    Returns
    -------
    pandas.DataFrame
        The columns that say of what, and one for each draw, named by its seed.
    """
    of = [name for name in table.columns if name not in {"run", "seed", "value"}]
    wide = table.assign(seed=table["seed"].astype(str)).pivot_table(
        index=of, columns="seed", values="value", sort=False, dropna=False
    )
    return wide.dropna(how="all").reset_index().rename_axis(columns=None)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average over the draws of the pictures, with 95 % intervals.

    Parameters
    ----------
    table
        From :func:`by_draw`.

    Returns
    -------
    pandas.DataFrame
        The columns that say of what; draws (that told it); value (mean), low and high: Wilson's
        interval of what happens or not, of anything else that of the mean by Student's t.
    """
    of = [name for name in table.columns if not str(name).isdigit()]
    values = table.drop(columns=of).to_numpy(float)
    known = [row[np.isfinite(row)] for row in values]
    happens = table["measure"].isin(HAPPENS)
    told = pd.DataFrame(
        [_share(row) if one else _mean(row) for one, row in zip(happens, known, strict=True)],
        columns=["value", "low", "high"],
    )
    return pd.concat([table[of], pd.DataFrame({"draws": map(len, known)}), told], axis=1)


def _share(values: NDArray[np.float64]) -> tuple[float, float, float]:
    share = proportion(int(values.sum()), len(values))
    return share.value, share.low, share.high


def _mean(values: NDArray[np.float64]) -> tuple[float, float, float]:
    from scipy.stats import t

    if len(values) < 2:
        return (float(values.mean()) if len(values) else np.nan, np.nan, np.nan)
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def analysed(seed: int, classifier: str, known: str, folder: Path) -> SemanticLens:
    """Return the analysis of one draw of pictures, which is kept in the folder."""
    return slw.SemanticLens(
        lesion_target(planted=CLASSIFIERS[classifier], layers=(LAYER,)),
        slw.ImageDataset.from_dataset(_pictures(_ANALYSED + seed, PICTURES)),
        FOUNDATIONS[known](),
        path=folder / f"{seed}-{classifier}-{known}",
    ).run()


def audit_of(lens: SemanticLens, scorer: Scorer = ONE_SHARE) -> Audit:
    """Audit the melanoma: the rule is what it may rest on, artefacts are what it may not."""
    return lens.audit(SHORTCUT_CLASS, RULE, {name: [name] for name in ARTEFACTS}, scorer=scorer)


def audited(seed: int, classifier: str, known: str, folder: Path) -> pd.DataFrame:
    """Audit one network on one draw of pictures, and compare with the truth.

    Returns
    -------
    pandas.DataFrame
        classifier, foundation, measure, of, seed, value. Measures: ``reliance`` of an artefact,
        ``flagged`` and ``not known`` (whether a check fails, or says that the foundation model does
        not know the word), ``taken`` (by how much more often lesions that are none are said to be
        melanomas with it, by the renderer); ``side`` of an auditor (share of the neurons that fit
        artefacts better than signs, or the other way round, rightly), ``order`` (Spearman's
        correlation of by how much), ``verdicts`` (share of the valid and spurious ones that are
        right); ``label`` of a labeller (mean true AUROC of the neurons' labels), ``nothing`` (share
        of labels that name nothing of this world); and ``class_auroc`` of the foundation model.
    """
    lens = analysed(seed, classifier, known, folder)
    audit = audit_of(lens)
    rows: list[tuple[str, str, float]] = []
    outcomes = dict(zip(ARTEFACTS, _outcomes(audit), strict=True))
    taken = effects(CLASSIFIERS[classifier], seed)
    for name in ARTEFACTS:
        found = audit.reliance.of(name, LAYER)
        rows += [
            ("reliance", name, np.nan if found is None else found.value),
            ("flagged", name, outcomes[name] == "fail"),
            ("not known", name, outcomes[name] == "not run"),
            ("taken", name, taken[name]),
        ]
    truth = planted_truth(CLASSIFIERS[classifier])
    for auditor, scorer in AUDITORS.items():
        judged = audit if scorer is ONE_SHARE else audit_of(lens, scorer)
        rows += [(measure, auditor, value) for measure, value in _agreement(judged, truth).items()]
    rows += _labelled(lens, truth)
    rows.append(("class_auroc", "class names", lens.domain_check()["class_auroc"]))
    table = pd.DataFrame(rows, columns=["measure", "of", "value"])
    return table.assign(classifier=classifier, foundation=known, seed=seed)[
        ["classifier", "foundation", "measure", "of", "seed", "value"]
    ].astype({"value": float})


def _outcomes(audit: Audit) -> list[str]:
    try:
        result = audit.check(max_spurious=MOST)
    except slw.CheckFailed as failed:
        result = failed.result
    return [condition.outcome for condition in result.conditions]


def _agreement(audit: Audit, truth: NDArray[np.float64]) -> dict[str, float]:
    """Compare what an audit says of each neuron with ``(neurons, concepts)`` true AUROC."""
    sign, artefact = (
        truth[:, [CONCEPTS.index(one) for one in some]] for some in (SIGNS, ARTEFACTS)
    )
    true = artefact.max(axis=1) - sign.max(axis=1)
    said = audit.aligned.spurious.score - audit.aligned.valid.score
    known = np.isfinite(said)
    sided = np.isin(audit.verdicts, ("valid", "spurious"))
    right = (audit.verdicts == "spurious") == (true > 0)
    return {
        "side": float(((said > 0) == (true > 0))[known].mean()),
        "order": float(spearmanr(said[known], true[known]).statistic),
        "verdicts": float(right[sided].mean()) if sided.any() else np.nan,
    }


def _labelled(lens: SemanticLens, truth: NDArray[np.float64]) -> list[tuple[str, str, float]]:
    meaning = LESIONS.meaning
    rows = []
    for labeller, scorer in LABELLERS.items():
        said = lens.label([*meaning, *DISTRACTORS], scorer=scorer, threshold=-np.inf)["label"]
        names = [meaning.get(label) for label in said]
        areas = [
            0.5 if one is None else truth[at, CONCEPTS.index(one)] for at, one in enumerate(names)
        ]
        rows += [
            ("label", labeller, float(np.mean(areas))),
            ("nothing", labeller, float(np.mean([one is None for one in names]))),
        ]
    best = truth[:, truth.mean(axis=0).argmax()]
    return [
        *rows,
        ("label", "best constant", best.mean()),
        ("label", "best possible", truth.max(1).mean()),
    ]


def corrected(seed: int, folder: Path, counts: Sequence[int] = COUNTS) -> pd.DataFrame:
    """Silence the neurons that an audit by the domain's model flags, and judge what is left.

    The first of them, by what they carry of the melanomas; `counts` says how many.

    Returns
    -------
    pandas.DataFrame
        way, neurons, measure, seed, value. Measures: ``accuracy`` (balanced, lesions without ink),
        ``recall`` (melanomas without ink), ``false`` (others with ink that are said to be
        melanomas). The way ``random`` silences as many other neurons; ``refit`` fits the last layer
        anew on the analysed pictures, behind the change if there is one.
    """
    lens = analysed(seed, "planted", "domain", folder)
    frame = audit_of(lens).neurons
    flagged = frame[frame["spurious_concept"] == ARTEFACT].query("verdict == 'spurious'")
    flagged = flagged.sort_values("relevance_share", ascending=False, kind="stable")
    first = list(zip(flagged["layer"], flagged["neuron"].tolist(), strict=True))
    rng = np.random.default_rng(seed)
    others = [(LAYER, int(at)) for at in rng.permutation(len(frame)) if (LAYER, at) not in first]
    rows: list[dict[str, Any]] = []

    def judge(way: str, count: int, model: nn.Module) -> None:
        for measure, value in judged(model, seed).items():
            rows.append({"way": way, "neurons": count, "measure": measure, "value": value})

    nothing = lens.intervene(others[:1], "scale", amount=1)
    judge("as it is", 0, nothing.model())
    judge("refit", 0, nothing.refit(controls=1).model())
    for count in counts:
        if count > len(first):
            break
        changes = {way: lens.intervene(first[:count], way) for way in WAYS}
        for way, change in changes.items():
            judge(way, count, change.model())
        for way in ("zero", "project"):
            judge(f"{way}, refit", count, changes[way].refit(controls=1).model())
        judge("random", count, lens.intervene(others[:count], "zero").model())
    return pd.DataFrame(rows).assign(seed=seed)[["way", "neurons", "measure", "seed", "value"]]


def judged(model: nn.Module, seed: int) -> dict[str, float]:
    """Judge a network by lesions that nothing was chosen by, without ink and with it."""
    own, without, shown = _judging(seed)
    clean, marked = _said(without, model), _said(shown, model)
    return {
        "accuracy": float((clean[own].mean() + 1 - clean[~own].mean()) / 2),
        "recall": float(clean[own].mean()),
        "false": float(marked[~own].mean()),
    }


@lru_cache(maxsize=1)
def _judging(seed: int) -> tuple[NDArray[np.bool_], Tensor, Tensor]:
    """Tell which of the lesions to judge by are melanomas, and return them without and with ink."""
    lesions = _pictures(_JUDGED + seed, _EFFECTS).lesions
    own = np.array([lesion.class_name == SHORTCUT_CLASS for lesion in lesions])
    return own, *_without_and_with(ARTEFACT, lesions)


@lru_cache(maxsize=4)
def effects(planted: bool, seed: int) -> Mapping[str, float]:
    """Measure how much more often each artefact alone makes a melanoma of a lesion that is none."""
    model = lesion_target(planted=planted, layers=(LAYER,)).model
    nevi = [
        lesion
        for lesion in _pictures(_JUDGED + seed, _EFFECTS).lesions
        if lesion.class_name != SHORTCUT_CLASS
    ]
    found = {}
    for name in ARTEFACTS:
        without, shown = _without_and_with(name, nevi)
        found[name] = float(_said(shown, model).mean() - _said(without, model).mean())
    return found


def _without_and_with(artefact: str, lesions: Sequence[Lesion]) -> tuple[Tensor, Tensor]:
    return (
        _inputs(LesionImages([lesion.without_artefact(artefact) for lesion in lesions])),
        _inputs(LesionImages([lesion.with_artefact(artefact) for lesion in lesions])),
    )


@lru_cache(maxsize=2)
def planted_truth(planted: bool) -> NDArray[np.float64]:
    """Return the AUROC of every neuron for each concept on 3,000 other lesions.

    Returns
    -------
    numpy.ndarray
        ``(neurons, concepts)``.
    """
    lesions = _pictures(_TRUTH_SEED, _TRUTHS)
    target = lesion_target(planted=planted, layers=(LAYER,))
    with torch.no_grad():
        parts = [target.units(some)[LAYER] for some in torch.split(_inputs(lesions), _AT_ONCE)]
    return auroc(torch.cat(parts).numpy(), lesions.concepts)


@lru_cache(maxsize=4)
def _pictures(seed: int, count: int) -> LesionImages:
    """Draw lesions; both networks and both foundation models are shown the same."""
    return lesion_images(count, seed=seed)


def _inputs(lesions: LesionImages) -> Tensor:
    return torch.stack([preprocess(lesions[at][0]) for at in range(len(lesions))])


@torch.no_grad()
def _said(inputs: Tensor, model: nn.Module) -> NDArray[np.bool_]:
    """Tell of which lesions a network says that they are melanomas."""
    logits = [model(some) for some in torch.split(inputs, _AT_ONCE)]
    said: NDArray[np.bool_] = torch.cat(logits).argmax(1).numpy() == CLASSES.index(SHORTCUT_CLASS)
    return said
