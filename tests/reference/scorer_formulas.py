"""The label scores as the papers write them, number by number: no line of the package is used.

``python -m tests.reference.scorer_formulas`` writes ``tests/scorer_table.json``: a few small
vectors, and what every scorer and variant scores them. Python's scorers are checked against it, and
the browser's bars.

p_i is the embedding of a concept example, n_i1, n_i2, ... are those of its contrastive examples,
a_i is its activation, t a text. SemanticLens: arXiv 2501.05398. CSP, the difference, and how
contrastive examples are mined: arXiv 2604.22477. CLIP-Dissect: arXiv 2204.10965. The ensemble of
templates: arXiv 2103.00020, section 3.1.4.
"""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

import numpy as np

TABLE = Path(__file__).parents[1] / "scorer_table.json"
IMAGES, DIM, NEURONS, EXAMPLES, NEIGHBOURS, TOP, TEXTS, TEMPLATES = 24, 5, 4, 5, 3, 7, 4, 3
UNREADABLE = 9
WEIGHTS = ("none", "raw", "log", "rank")


def unit(vector):
    return vector / math.sqrt(sum(x * x for x in vector))


def stored(vectors):
    """As they are kept: in single precision."""
    return np.asarray(vectors, np.float32).astype(np.float64)


# -- the world -------------------------------------------------------------------------------------


def make_world():
    """Small vectors with what goes wrong in real ones: ties, gaps, what never activates."""
    rng = np.random.default_rng(7)

    def drawn(*shape):
        return stored(rng.integers(1, 9, (*shape, DIM)) * rng.choice([1, 1, -1], (*shape, DIM)))

    def units(*shape):
        flat = [stored(unit(row)) for row in drawn(*shape).reshape(-1, DIM)]
        return np.reshape(flat, (*shape, DIM))

    images = units(IMAGES)
    images[13] = images[4]  # the same picture twice
    images[UNREADABLE] = 0
    activations = stored(rng.integers(-2, 7, (NEURONS, IMAGES)) / 2)  # with ties
    activations[3] = -np.abs(activations[3]) - 0.5  # never active
    examples = np.array([concept_examples(row) for row in activations])
    examples[1, 4] = -1  # one example fewer
    contrasts = np.array([mined(images, *pair) for pair in zip(activations, examples, strict=True)])
    contrasts[0, 2] = -1  # an example without any contrast
    contrasts[2, 1, 1:] = -1  # and one with a single one
    contrasts[2] = np.where(contrasts[2] == 13, 4, contrasts[2])
    contrasts[2, 3] = [4, 13, 4]  # three that are one
    crops = [units(NEURONS, EXAMPLES), units(NEURONS, EXAMPLES, NEIGHBOURS)]
    prompts = units(TEMPLATES, TEXTS)
    return {
        "images": images,
        "activations": activations,
        "examples": examples,
        "contrasts": contrasts,
        "example_activations": np.array(
            [
                [row[at] if at >= 0 else math.nan for at in own]
                for row, own in zip(activations, examples, strict=True)
            ]
        ),
        "top": np.array([concept_examples(row, TOP) for row in activations]),
        "crops": crops[0],
        "contrast_crops": crops[1],
        "prompts": prompts,
        "texts": np.array([ensemble(prompts[:, j]) for j in range(TEXTS)]),
    }


def concept_examples(row, count=EXAMPLES):
    """The most activating images; of equal ones the first."""
    readable = [at for at in range(IMAGES) if at != UNREADABLE]
    return sorted(readable, key=lambda at: (-row[at], at))[:count]


def mined(images, row, examples):
    """The most similar images on which the neuron is below its mean; of equal ones the first."""
    readable = [at for at in range(IMAGES) if at != UNREADABLE]
    mean = sum(row[at] for at in readable) / len(readable)
    found = []
    for own in examples:
        quiet = [at for at in readable if row[at] < mean and at != own] if own >= 0 else []
        nearest = sorted(quiet, key=lambda at: (-(images[at] @ images[own]), at))[:NEIGHBOURS]
        found.append(nearest + [-1] * (NEIGHBOURS - len(nearest)))
    return found


def ensemble(prompts):
    """T(t): the mean of its templates' embeddings, each and the mean at unit length."""
    return unit(sum(unit(one) for one in prompts) / len(prompts))


# -- what is known of a neuron ---------------------------------------------------------------------


def evidence(world, k, embedding, neighbours, exclude):
    """Its examples p, their contrasts and their activations, by rank."""
    positive, quiet, active = {}, {}, {}
    for i in range(EXAMPLES):
        if world["examples"][k, i] < 0 or i in exclude:
            continue
        active[i] = world["example_activations"][k, i]
        there = [j for j in range(neighbours) if world["contrasts"][k, i, j] >= 0]
        if embedding == "crop":
            positive[i] = world["crops"][k, i]
            quiet[i] = [world["contrast_crops"][k, i, j] for j in there]
        else:
            positive[i] = world["images"][world["examples"][k, i]]
            quiet[i] = [world["images"][world["contrasts"][k, i, j]] for j in there]
    return positive, quiet, active


def weights_of(active, how):
    if how == "none" or not any(a > 0 for a in active.values()):
        return dict.fromkeys(active, 1.0)
    largest = max(active.values())
    relative = {i: max(a, 0.0) / largest for i, a in active.items()}
    if how == "raw":
        return relative
    if how == "log":
        return {i: math.log(1 + b) / math.log(2) for i, b in relative.items()}
    positive = sorted(b for b in relative.values() if b > 0)
    places = {}
    for i, b in relative.items():
        mine = [at + 1 for at, other in enumerate(positive) if other == b]
        places[i] = sum(mine) / len(mine) if b > 0 else 0.0
    highest = max(places.values())
    return {i: place / highest for i, place in places.items()}


def mean_similarity(world, t):
    """What centring subtracts."""
    readable = [at for at in range(IMAGES) if at != UNREADABLE]
    return sum(world["images"][at] @ t for at in readable) / len(readable)


# -- scores by examples ----------------------------------------------------------------------------


def semantic_parts(world, k, t, *, centred, weights, embedding, exclude=()):
    """cos(v, t), v = sum_i w_i p_i / sum_i w_i, by example."""
    positive, _, active = evidence(world, k, embedding, 1, exclude)
    w = weights_of(active, weights)
    total = sum(w[i] * p for i, p in positive.items())
    offset = mean_similarity(world, t) if centred else 0.0
    return {
        i: w[i] * (p @ t) / np.linalg.norm(total) - w[i] / sum(w.values()) * offset
        for i, p in positive.items()
    }


def difference_parts(world, k, t, *, centred, weights, embedding, exclude=()):
    """mean_i cos(p_i, t) - mean_i cos(n_i, t), by pair."""
    positive, quiet, active = evidence(world, k, embedding, 1, exclude)
    w = weights_of(active, weights)
    contrasted = {i: w[i] for i in w if quiet[i]}
    alone = sum(contrasted.values()) == 0
    offset = mean_similarity(world, t) if centred and alone else 0.0
    found = {i: w[i] * (p @ t - offset) / sum(w.values()) for i, p in positive.items()}
    if not alone:
        for i in contrasted:
            found[i] -= w[i] * (quiet[i][0] @ t) / sum(contrasted.values())
    return found


def csp_parts(world, k, t, *, gamma, centred, weights, neighbours, embedding, exclude=()):
    """cos(u, t), u = sum_i w_i r_i, r_i = p_i less gamma times its projection, by pair."""
    positive, quiet, active = evidence(world, k, embedding, neighbours, exclude)
    w = weights_of(active, weights)
    rest = {}
    for i, p in positive.items():
        out = np.zeros(DIM)
        for direction in orthonormal(quiet[i]):
            out = out + (p @ direction) * direction
        rest[i] = p - gamma * out
    total = sum(w[i] * r for i, r in rest.items())
    offset = mean_similarity(world, t) if centred else 0.0
    return {
        i: w[i] * (r @ t) / np.linalg.norm(total) - w[i] / sum(w.values()) * offset
        for i, r in rest.items()
    }


def orthonormal(vectors):
    """An orthonormal basis of their span, by Gram and Schmidt."""
    basis = []
    for vector in vectors:
        rest = vector
        for direction in basis:
            rest = rest - (rest @ direction) * direction
        if np.linalg.norm(rest) > 1e-3:  # else it is one of the others
            basis.append(unit(rest))
    return basis


BY_EXAMPLES = {
    "semanticlens": semantic_parts,
    "difference": difference_parts,
    "csp": csp_parts,
}


# -- scores by all images --------------------------------------------------------------------------


def dissect_scores(world, *, centred, cropped):
    """SoftWPMI: sum_r log(1 + p_r (P(t | x_r) - 1)) less its log-mean-exp over neurons."""
    joint = np.zeros((NEURONS, TEXTS))
    offset = [mean_similarity(world, t) if centred else 0.0 for t in world["texts"]]
    for k in range(NEURONS):
        if cropped:
            count = EXAMPLES
            looked = {
                r: world["crops"][k, r] for r in range(EXAMPLES) if world["examples"][k, r] >= 0
            }
        else:
            count = TOP
            looked = {r: world["images"][at] for r, at in enumerate(world["top"][k])}
        for r, x in looked.items():
            e = [
                math.exp(10 * (x @ t - less))
                for t, less in zip(world["texts"], offset, strict=True)
            ]
            p_r = 0.998 - r / count * (0.998 - 0.97)
            for j in range(TEXTS):
                joint[k, j] += math.log(1 + p_r * (e[j] / sum(e) - 1) + 1e-7)
    prior = [
        math.log(sum(math.exp(joint[k, j]) for k in range(NEURONS)) / NEURONS) for j in range(TEXTS)
    ]
    return joint - np.array(prior)


def correlation_score(world, k, t):
    readable = [at for at in range(IMAGES) if at != UNREADABLE]
    a = [world["activations"][k, at] for at in readable]
    s = [world["images"][at] @ t for at in readable]
    mean_a, mean_s = sum(a) / len(a), sum(s) / len(s)
    both = sum((x - mean_a) * (y - mean_s) for x, y in zip(a, s, strict=True))
    return both / math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_s) ** 2 for y in s))


def recognition_score(world, k, t, *, share, wider):
    """The best AUROC for the images most like the text, of one share or several."""
    readable = [at for at in range(IMAGES) if at != UNREADABLE]
    order = sorted(readable, key=lambda at: (-(world["images"][at] @ t), at))
    first = max(1, round(share * len(readable)))
    best = -1.0
    for times in (1, 2, 4, 8) if wider else (1,):
        if times > 1 and not 2 * first * times < len(readable):
            continue
        shown, others = order[: first * times], order[first * times :]
        wins = 0.0
        for x in shown:
            for y in others:
                a, b = world["activations"][k, x], world["activations"][k, y]
                wins += 1.0 if a > b else 0.5 if a == b else 0.0
        best = max(best, wins / len(shown) / len(others))
    return best


# -- the table -------------------------------------------------------------------------------------


def variants():
    """Every scorer with every setting, as (scorer, settings, ranks that are left out)."""
    for centred, weights, embedding in product((False, True), WEIGHTS, ("image", "crop")):
        shared = {"centred": centred, "weights": weights, "embedding": embedding}
        yield "semanticlens", shared, ()
        yield "difference", shared, ()
        for neighbours in range(1, NEIGHBOURS + 1):
            yield "csp", {"gamma": 1.0, **shared, "neighbours": neighbours}, ()
    for gamma, neighbours, weights in product((0.0, 0.5), (1, 3), ("raw", "rank")):
        settings = {"gamma": gamma, "centred": True, "weights": weights, "neighbours": neighbours}
        yield "csp", settings | {"embedding": "image"}, ()
    for name in BY_EXAMPLES:
        settings = {"centred": True, "weights": "raw", "embedding": "image"}
        yield name, settings | ({"gamma": 1.0, "neighbours": 2} if name == "csp" else {}), (0, 3)
    for centred, cropped in product((False, True), repeat=2):
        yield "clip-dissect", {"centred": centred, "cropped": cropped}, ()
    yield "correlation", {}, ()
    for share, wider in product((0.05, 0.1, 0.2), (False, True)):
        yield "recognition", {"share": share, "wider": wider}, ()


def scored(world, name, settings, exclude):
    """A row of the table: scores by neuron and text; what each pair adds by neuron, rank, text."""
    parts = None
    if name in BY_EXAMPLES:
        parts = np.zeros((NEURONS, EXAMPLES, TEXTS))
        for k, j in product(range(NEURONS), range(TEXTS)):
            of = BY_EXAMPLES[name](world, k, world["texts"][j], exclude=exclude, **settings)
            for i, value in of.items():
                parts[k, i, j] = value
        scores = parts.sum(1)
    elif name == "clip-dissect":
        scores = dissect_scores(world, **settings)
    else:
        one = {"correlation": correlation_score, "recognition": recognition_score}[name]
        scores = np.array(
            [[one(world, k, t, **settings) for t in world["texts"]] for k in range(NEURONS)]
        )
    return {
        "scorer": name,
        "settings": settings,
        "exclude": list(exclude),
        "scores": scores,
        "parts": parts,
        "shown": shown(name, scores[0], None if parts is None else parts[0]),
    }


def shown(name, scores, parts):
    """What the browser draws of the first neuron.

    Bars reach from what nothing scores (or the worst score, where scores are logarithms) to the
    score, in percent of the scale that holds all; the lead of the best label is shared out by pair.
    """
    start = {"recognition": 0.5, "clip-dissect": None}.get(name, 0.0)
    ends = [*scores] if start is None else [start, *scores]
    low, high = min(ends), max(ends)
    best, second = sorted(range(TEXTS), key=lambda j: -scores[j])[:2]
    return {
        "start": start,
        "places": [100 * (score - low) / (high - low) for score in scores],
        "best": best,
        "second": second,
        "lead": None if parts is None else [row[best] - row[second] for row in parts],
    }


def rounded(value, digits=7):
    """As JSON: numbers with so many digits, null for what is none."""
    if isinstance(value, dict):
        return {name: rounded(one, digits) for name, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [rounded(one, digits) for one in value]
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float):
        return None if math.isnan(value) else round(float(value), digits)
    return value


def table():
    """The world and all that is scored in it."""
    world = make_world()
    rows = [scored(world, *variant) for variant in variants()]
    return {"world": rounded(world, 10), "rows": [rounded(row) for row in rows]}


def written(found):
    """As text, with one line for each entry of the world and each row."""
    world = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in found["world"].items())
    rows = ",\n".join(f"  {json.dumps(row)}" for row in found["rows"])
    return f'{{"world": {{\n{world}\n}}, "rows": [\n{rows}\n]}}\n'


if __name__ == "__main__":
    TABLE.write_text(written(table()))
