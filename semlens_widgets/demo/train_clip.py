"""The recipe of the demo's foundation models: small CLIPs, each of which knows one drawn world.

Contrast between a picture and its own caption alone teaches colour and background and leaves shape
behind. So a batch uses the world's full truth: every caption that is true of a picture is a
positive, a head (thrown away afterwards) asks for every concept, the pictures of some batches look
alike at first glance (scenes share their background or colour), and captions about other things are
always negatives.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from semlens_widgets.demo.captions import off_world_captions
from semlens_widgets.demo.images import SCENES
from semlens_widgets.demo.models import DEVIATION, MEAN, SIDE
from semlens_widgets.demo.pool import render_pool
from semlens_widgets.demo.tokenizer import write_vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from semlens_widgets.demo.drawn import Question, World

PREPROCESS: dict[str, Any] = {
    "size": [SIDE, SIDE],
    "mode": "RGB",
    "mean": [MEAN] * 3,
    "std": [DEVIATION] * 3,
    "interpolation": "bilinear",
    "resize_mode": "shortest",
    "fill_color": 0,
}


@dataclass(frozen=True, slots=True)
class ClipRecipe:
    """What decides the outcome of a training run, apart from the world itself."""

    seed: int = 1
    pictures: int = 100_000
    artefact_probability: float = 0.2
    batch: int = 128
    steps: int = 7_000
    peak_rate: float = 2.5e-3
    warm_up: int = 60
    weight_decay: float = 0.05
    off_world: int = 24  # captions of other things per batch
    alike: float = 0.12  # share of batches
    very_alike: float = 0.13
    zoomed: float = 0.35
    smallest_zoom: float = 0.6
    naming_weight: float = 0.5


def model_config(vocabulary_size: int) -> dict[str, Any]:
    """Return the architecture in open_clip's terms."""
    return {
        "embed_dim": 128,
        "vision_cfg": {"image_size": SIDE, "layers": [1, 2, 2, 1], "width": 16, "head_width": 32},
        "text_cfg": {
            "context_length": 32,
            "vocab_size": vocabulary_size,
            "width": 96,
            "heads": 3,
            "layers": 2,
        },
    }


def train_clip(
    directory: Path,
    recipe: ClipRecipe,
    threads: int,
    device: str = "cpu",
    world: World[Any] = SCENES,
) -> None:
    """Train from scratch and write a directory that open_clip loads as "local-dir:..."."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(recipe.seed)
    items = [world.sample(rng, recipe.artefact_probability) for _ in range(recipe.pictures)]
    pictures = torch.from_numpy(render_pool(items, world.draw, workers=threads))

    torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    config = model_config(write_vocabulary(directory / "bpe.txt.gz", world.words()))
    _write_config(directory, config)
    model = open_clip.CLIP(**config).to(device)
    _fit(model, _Batches(world, items, pictures, directory, recipe, rng), recipe, world)
    _save_half(model.cpu(), directory / "open_clip_model.safetensors")


@dataclass(frozen=True, slots=True)
class _Batch:
    images: Tensor  # (batch, 3, 64, 64), normalised
    tokens: Tensor  # (batch + off_world, context)
    concepts: Tensor  # (batch, concepts), 0 or 1
    truth: Tensor  # (batch, batch + off_world), 1 where the caption is true of the picture

    def to(self, device: torch.device) -> _Batch:
        return _Batch(*(getattr(self, name).to(device) for name in self.__slots__))


class _Batches:
    """Draws pictures, captions and the truth about every pair of them."""

    def __init__(
        self,
        world: World[Any],
        items: list[Any],
        pictures: Tensor,
        directory: Path,
        recipe: ClipRecipe,
        rng: np.random.Generator,
    ) -> None:
        self._items, self._pictures, self._recipe, self._rng = items, pictures, recipe, rng
        self._caption, self._foreign = world.caption, world.off_world
        self._concepts = torch.from_numpy(world.annotate(items)).float()
        self._tokenizer = open_clip.get_tokenizer(
            f"local-dir:{directory}", bpe_path=str(directory / "bpe.txt.gz")
        )
        kinds = np.array([world.alike(item) for item in items])  # (items, 2)
        self._alike, self._very_alike = (
            [np.flatnonzero(kind == value) for value in np.unique(kind)] for kind in kinds.T
        )

    def draw(self) -> _Batch:
        index = self._indices()
        images = self._pictures[index].float() / 255
        if self._rng.random() < self._recipe.zoomed:
            images = self._zoom(images)
        texts, required = zip(
            *(self._caption(self._items[i], self._rng) for i in index), strict=True
        )
        off_world = off_world_captions(self._rng, self._recipe.off_world, self._foreign)
        concepts = self._concepts[index]
        requirement = torch.from_numpy(np.stack(required)).float()  # (captions, concepts)
        missing = (1 - concepts) @ requirement.T  # asserted concepts that a picture lacks
        truth = functional.pad((missing == 0).float(), (0, len(off_world)))
        tokens = self._tokenizer([*texts, *off_world])
        return _Batch((images - MEAN) / DEVIATION, tokens, concepts, truth)

    def _indices(self) -> NDArray[np.intp]:
        recipe, rng = self._recipe, self._rng
        kind = rng.random()
        if kind < recipe.alike:
            among = self._alike[rng.integers(len(self._alike))]
        elif kind < recipe.alike + recipe.very_alike:
            among = self._very_alike[rng.integers(len(self._very_alike))]
        else:
            return rng.integers(len(self._items), size=recipe.batch)
        return rng.choice(among, size=recipe.batch, replace=len(among) < recipe.batch)

    def _zoom(self, images: Tensor) -> Tensor:
        side = images.shape[-1]
        window = int(side * self._rng.uniform(self._recipe.smallest_zoom, 0.95))
        top, left = self._rng.integers(0, side - window + 1, 2)
        cut = images[..., top : top + window, left : left + window]
        return functional.interpolate(cut, (side, side), mode="bilinear", align_corners=False)


def _fit(model: Any, batches: _Batches, recipe: ClipRecipe, world: World[Any]) -> None:
    device = model.logit_scale.device
    heads = nn.Sequential(nn.BatchNorm1d(128), nn.Linear(128, len(world.concepts))).to(device)
    parameters = [*model.parameters(), *heads.parameters()]
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=recipe.peak_rate,
        betas=(0.9, 0.98),
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe))
    model.train()
    progress = tqdm(range(recipe.steps), desc="clip", mininterval=5)
    for step in progress:
        batch = batches.draw().to(device)
        with torch.autocast(device.type, torch.bfloat16):
            images, texts = model.encode_image(batch.images), model.encode_text(batch.tokens)
        images, texts = images.float(), texts.float()
        logits = model.logit_scale.exp() * _unit(images) @ _unit(texts).T
        contrast = _contrastive_loss(logits, batch.truth)
        naming = _naming_loss(heads(images), batch.concepts, world.questions)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(contrast + recipe.naming_weight * naming)
        nn.utils.clip_grad_norm_(parameters, 2.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        if step % 20 == 0:
            progress.set_postfix(contrast=f"{contrast:.3f}", naming=f"{naming:.3f}", refresh=False)
    model.eval()


def _rate(step: int, recipe: ClipRecipe) -> float:
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / recipe.steps)
    return cosine * min(1.0, (step + 1) / recipe.warm_up)


def _unit(vectors: Tensor) -> Tensor:
    return functional.normalize(vectors, dim=-1)


def _contrastive_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross entropy to all true partners alike, from pictures to captions and back."""
    own = slice(0, len(logits))  # off-world captions have no picture to find
    to_texts = truth / truth.sum(1, keepdim=True)
    to_images = truth[:, own].T / truth[:, own].T.sum(1, keepdim=True)
    forward = functional.cross_entropy(logits, to_texts)
    backward = functional.cross_entropy(logits[:, own].T, to_images)
    return (forward + backward) / 2


def _naming_loss(scores: Tensor, concepts: Tensor, questions: Sequence[Question]) -> Tensor:
    loss = scores.new_zeros(())
    for asked in questions:
        given, truth = scores[:, asked.columns], concepts[:, asked.columns]
        if asked.exclusive:
            loss = loss + asked.weight * functional.cross_entropy(given, truth)
        else:
            loss = loss + asked.weight * functional.binary_cross_entropy_with_logits(given, truth)
    return loss


def _write_config(directory: Path, config: dict[str, Any]) -> None:
    text = json.dumps({"model_cfg": config, "preprocess_cfg": PREPROCESS}, indent=2)
    (directory / "open_clip_config.json").write_text(text + "\n", encoding="utf-8")


def _save_half(model: nn.Module, path: Path) -> None:
    state = model.state_dict()
    save_file({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, path)
