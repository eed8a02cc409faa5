"""Results are never mixed: settings that act otherwise have other digests, equal ones the same."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torchvision.transforms import v2
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import (
    EpsilonGammaBox,
    EpsilonPlusFlat,
    LayerMapComposite,
    NameMapComposite,
)
from zennit.rules import AlphaBeta, Epsilon, Gamma
from zennit.types import Linear

import semlens_widgets as slw
from semlens_widgets.inputs.described import describe
from semlens_widgets.inputs.foundation import OpenClip
from semlens_widgets.pipeline import fingerprint
from tests.colour_world import ColourNet

END = (v2.ToImage(), v2.ToDtype(torch.float32, scale=True))
MODES = v2.InterpolationMode


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_transforms_that_differ_in_one_thing(data):
    """Whatever parameter is drawn twice: equal digests just when the values are equal."""
    base = {"side": 32, "how": "crop", "mode": "BILINEAR", "mean": 0.485, "std": 0.229, "pad": 0}
    values = {
        "side": st.integers(16, 40),
        "how": st.sampled_from(["crop", "squash", "letterbox"]),
        "mode": st.sampled_from(["NEAREST", "BILINEAR", "BICUBIC", "LANCZOS"]),
        "mean": st.sampled_from([0.4, 0.48, 0.485, 0.486, 0.5]),
        "std": st.sampled_from([0.2, 0.225, 0.229, 0.25]),
        "pad": st.integers(0, 3),
    }
    what = data.draw(st.sampled_from(sorted(values)))
    one, other = (base | {what: data.draw(values[what])} for _ in range(2))
    same = fingerprint.of_transform(transform(**one)) == fingerprint.of_transform(
        transform(**other)
    )
    assert same == (one == other)


def transform(side, how, mode, mean, std, pad):
    mode = MODES[mode]
    resize = {
        "crop": [v2.Resize(side + 8, mode), v2.CenterCrop(side)],
        "squash": [v2.Resize((side, side), mode)],
        "letterbox": [v2.Resize(None, mode, max_size=side), v2.CenterCrop(side)],
    }[how]
    return v2.Compose([*resize, v2.Pad(pad), *END, v2.Normalize([mean] * 3, [std] * 3)])


def compressed(quality):
    def make(image):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return v2.Compose([v2.Resize((32, 32)), *END])(Image.open(buffer))

    return make


def picky(factor):
    def make(image):
        if image.size != (33, 33):
            raise ValueError("only 33 × 33")
        return v2.Compose(END)(image) * factor

    return make


def test_transforms_by_what_they_do_to_special_pictures():
    small = v2.Compose([v2.Resize((32, 32)), *END])
    variants = [
        small,
        lambda image: small(image if max(image.size) <= 512 else image.resize((512, 512))),
        v2.Compose([v2.Resize((32, 32)), v2.Grayscale(3), *END]),
        lambda image: small(image)[[1, 0, 2]],
        lambda image: (small(image) - small(image).mean()) / small(image).std(),
        compressed(75),
        compressed(80),
        v2.Compose([*END, v2.Resize((32, 32), antialias=False)]),
        picky(1),
        picky(2),
        v2.Compose([v2.Resize((32, 32)), v2.RandomHorizontalFlip(0.5), *END]),
        v2.Compose([v2.Resize((32, 32)), v2.RandomHorizontalFlip(0.9), *END]),
    ]
    digests = [fingerprint.of_transform(variant) for variant in variants]
    assert len(set(digests)) == len(variants)
    assert [digest.startswith("random") for digest in digests] == [False] * 10 + [True] * 2
    assert [fingerprint.of_transform(variant) for variant in variants] == digests


def test_a_rare_chance_is_seen_and_the_random_state_left_alone():
    rare = v2.Compose([v2.Resize((32, 32)), v2.RandomHorizontalFlip(0.1), *END])
    never = v2.Compose([v2.Resize((32, 32)), v2.RandomHorizontalFlip(0.0), *END])
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert fingerprint.of_transform(rare).startswith("random")
    assert torch.equal(torch.rand(2), expected)
    assert "random" not in fingerprint.of_transform(never)


FACTOR = 2


def with_default(y, k=5):
    return y.topk(k)


def with_other_default(y, k=10):
    return y.topk(k)


with_other_default.__name__ = "with_default"


class Pooling:
    k = 5

    def __init__(self, weight=1.0):
        self.weight = weight
        self.calls = 0

    def __call__(self, y):
        self.calls += 1
        return y.topk(self.k).values * self.weight

    def pool(self, y):
        return y * self.weight


def closing_over(value):
    return lambda y: (y, value)


def named(value):
    function = {}
    exec(f"def pool(y):\n    return y * FACTOR\nFACTOR = {value}", function)  # noqa: S102
    return function["pool"]


PAIRS = {
    "constant": (lambda y: y.topk(5).values.mean(-1), lambda y: y.topk(10).values.mean(-1)),
    "default": (with_default, with_other_default),
    "keyword default": (lambda y, *, k=1: y * k, lambda y, *, k=2: y * k),
    "operator": (lambda y: y.mean(1) + y.amax(1), lambda y: y.mean(1) - y.amax(1)),
    "order": (lambda y, z=1: y - z, lambda y, z=1: z - y),
    "nested": (lambda y: [v * 2 for v in y], lambda y: [v * 3 for v in y]),
    "closure": (closing_over(1), closing_over(2)),
    "closure of a kind": (closing_over(1), closing_over(True)),
    "closure array": (closing_over(np.arange(3)), closing_over(np.arange(3) + 1)),
    "closure dictionary": (closing_over({"k": 1}), closing_over({"k": 2})),
    "global": (named(1), named(2)),
    "partial": (functools.partial(torch.topk, k=5), functools.partial(torch.topk, k=10)),
    "partial name": (functools.partial(torch.topk, k=5), functools.partial(torch.topk, dim=5)),
    "attribute": (Pooling(1.0), Pooling(2.0)),
    "owner": (Pooling(1.0).pool, Pooling(2.0).pool),
    "class attribute": (Pooling(), type("Pooling", (Pooling,), {"k": 10})()),
    "negative zero": (lambda y: y * 0.0, lambda y: y * -0.0),
    "module setting": (nn.LeakyReLU(0.1), nn.LeakyReLU(0.2)),
    "closure path": (closing_over(Path("a")), closing_over(Path("b"))),
    "closure fraction": (closing_over(Fraction(1, 2)), closing_over(Fraction(1, 3))),
    "closure pattern": (
        closing_over(re.compile("a" * 300 + "b")),
        closing_over(re.compile("a" * 300 + "c")),
    ),
}


@pytest.mark.parametrize("what", PAIRS)
def test_functions_that_act_otherwise(what):
    one, other = PAIRS[what]
    assert fingerprint.of_function(one) != fingerprint.of_function(other)
    assert fingerprint.of_function(one) == fingerprint.of_function(one)


def test_functions_that_act_alike():
    pairs = [
        (closing_over({"a", "b", "c"}), closing_over({"c", "b", "a"})),
        (closing_over({"a": 1, "b": 2}), closing_over({"b": 2, "a": 1})),
        (lambda y: y.topk(5), lambda value: value.topk(5)),
        (Pooling(2.0), Pooling(2.0)),
        (closing_over(Path("a/b")), closing_over(Path("a") / "b")),
        (closing_over(threading.Lock()), closing_over(threading.Lock())),
        (functools.partial(torch.topk, k=5, dim=1), functools.partial(torch.topk, dim=1, k=5)),
    ]
    for one, other in pairs:
        assert fingerprint.of_function(one) == fingerprint.of_function(other)


def test_what_a_callable_counts_while_used_is_no_setting():
    pooling = Pooling()
    before = fingerprint.of_function(pooling)
    pooling(torch.rand(20))
    assert fingerprint.of_function(pooling) == before


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


def exact(value):
    """What Python's equality leaves out: 1, 1.0 and True, the sign of zero, tuples and lists."""
    if isinstance(value, dict):
        return ("dict", sorted((key, exact(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [exact(item) for item in value])
    return (type(value).__name__, repr(value))


@settings(max_examples=300, deadline=None)
@given(plain, plain)
def test_values_are_told_apart_just_when_they_differ(one, other):
    assert (describe(one) == describe(other)) == (repr(exact(one)) == repr(exact(other)))
    assert describe(pickle.loads(pickle.dumps(one))) == describe(one)  # noqa: S301


COMPOSITES = {
    "box": (EpsilonGammaBox(-3.0, 3.0), EpsilonGammaBox(-1.0, 1.0)),
    "tensors": (
        EpsilonGammaBox(torch.zeros(3, 1, 1), torch.ones(3, 1, 1)),
        EpsilonGammaBox(torch.zeros(3, 1, 1), 2 * torch.ones(3, 1, 1)),
    ),
    "rule": (
        LayerMapComposite([(Linear, Epsilon())]),
        LayerMapComposite([(Linear, Gamma())]),
    ),
    "epsilon": (
        LayerMapComposite([(Linear, Epsilon(1e-6))]),
        LayerMapComposite([(Linear, Epsilon(1e-3))]),
    ),
    "gamma": (
        LayerMapComposite([(Linear, Gamma(0.25))]),
        LayerMapComposite([(Linear, Gamma(0.5))]),
    ),
    "alpha, beta": (
        LayerMapComposite([(Linear, AlphaBeta(1, 0))]),
        LayerMapComposite([(Linear, AlphaBeta(2, 1))]),
    ),
    "names": (
        NameMapComposite([(("a",), Epsilon())]),
        NameMapComposite([(("b",), Epsilon())]),
    ),
    "canonizer": (EpsilonPlusFlat(), EpsilonPlusFlat([SequentialMergeBatchNorm()])),
}


@pytest.mark.parametrize("what", COMPOSITES)
def test_composites_of_other_rules(what):
    one, other = COMPOSITES[what]
    assert fingerprint.of_composite(one) != fingerprint.of_composite(other)


def test_composites_of_the_same_rules_also_after_use():
    composite = EpsilonGammaBox(-3.0, 3.0)
    before = fingerprint.of_composite(composite)
    assert before == fingerprint.of_composite(EpsilonGammaBox(-3.0, 3.0))
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
    with composite.context(net) as hooked:
        hooked(torch.rand(1, 3, 4, 4, requires_grad=True)).sum().backward()
    assert fingerprint.of_composite(composite) == before


class Scaled(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class Shifted(Scaled):
    def forward(self, x):
        return x + self.factor


Shifted.__name__ = Shifted.__qualname__ = "Scaled"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3, stride=2)),
        (nn.BatchNorm2d(3), nn.BatchNorm2d(3, eps=1e-3)),
        (nn.MaxPool2d(2), nn.MaxPool2d(3)),
        (Scaled(1), Scaled(2)),
        (Scaled(1), Shifted(1)),
    ],
)
def test_networks_of_the_same_weights(one, other):
    assert fingerprint.of_architecture(one) != fingerprint.of_architecture(other)


def test_buffers_that_are_not_saved_are_weights():
    nets = [nn.Module() for _ in range(2)]
    for value, net in enumerate(nets):
        net.register_buffer("mean", torch.tensor([float(value)]), persistent=False)
    assert fingerprint.of_weights(nets[0]) != fingerprint.of_weights(nets[1])


def everything() -> dict[str, str]:
    """Digests of one setting of each kind, made from nothing but code and seeds."""
    torch.manual_seed(0)
    return {
        "transform": fingerprint.of_transform(
            transform(side=32, how="crop", mode="BICUBIC", mean=0.485, std=0.229, pad=0)
        ),
        "picky": fingerprint.of_transform(picky(2)),
        "function": fingerprint.of_function(with_default),
        "closure": fingerprint.of_function(closing_over({"b": {1, 2, 3}, "a": frozenset("xyz")})),
        "callable": fingerprint.of_function(Pooling(2.0)),
        "composite": fingerprint.of_composite(EpsilonGammaBox(-3.0, 3.0)),
        "weights": fingerprint.of_weights(nn.Linear(3, 2)),
        "architecture": fingerprint.of_architecture(nn.Sequential(Scaled(2), nn.Conv2d(3, 4, 3))),
    }


def test_the_same_in_another_process():
    code = (
        "import json; from tests.unit.test_settings_told_apart import everything; "
        "print(json.dumps(everything()))"
    )
    found = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code],
                env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
                capture_output=True,
                check=True,
                text=True,
            ).stdout
        )
        for seed in ("1", "2")
    ]
    assert found[0] == found[1]
    digests = list(found[0].values())
    assert len(set(digests)) == len(digests)


def test_the_same_after_being_sent():
    for value in (Pooling(2.0), ColourNet(), with_default, functools.partial(torch.topk, k=3)):
        sent = pickle.loads(pickle.dumps(value))  # noqa: S301
        assert describe(sent) == describe(value)


@pytest.mark.parametrize("what", ["preprocess_cfg", "model_cfg", "vocabulary"])
def test_a_foundation_model_is_its_configuration_too(tmp_path, what):
    shutil.copytree(slw.demo.clip_dir(), tmp_path / "clip")
    before = OpenClip(tmp_path / "clip").name
    assert OpenClip(tmp_path / "clip").name == before
    file = tmp_path / "clip" / "open_clip_config.json"
    config = json.loads(file.read_text())
    if what == "preprocess_cfg":
        config[what]["mean"] = [0.1, 0.1, 0.1]
    elif what == "model_cfg":
        config[what]["quick_gelu"] = not config[what].get("quick_gelu", False)
    else:
        file = tmp_path / "clip" / "bpe.txt.gz"
        lines = gzip.decompress(file.read_bytes()).splitlines()
        file.write_bytes(gzip.compress(b"\n".join(lines), mtime=1))
        assert OpenClip(tmp_path / "clip").name == before  # packed at another time
        lines[1:3] = lines[2:0:-1]
        file.write_bytes(gzip.compress(b"\n".join(lines)))
    if what != "vocabulary":
        file.write_text(json.dumps(config))
    assert OpenClip(tmp_path / "clip").name != before
