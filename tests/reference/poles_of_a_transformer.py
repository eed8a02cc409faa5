"""What labels of a transformer's negative poles are worth: trained here on drawn scenes.

``python -m tests.reference.poles_of_a_transformer`` prints the table of docs/labels.md. It trains
for some minutes, so no test does.
"""

from __future__ import annotations

import tempfile

import numpy as np
import torch
from torchvision.models import VisionTransformer

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.demo.images import SceneImages
from semlens_widgets.demo.models import normalised
from semlens_widgets.demo.pool import render_pool
from semlens_widgets.demo.truth import annotate
from semlens_widgets.demo.world import sample_scene

LAYERS = [f"encoder.layers.encoder_layer_{at}" for at in (1, 3)]
SEEN, STEPS, BATCH, PICTURES = 20_000, 1_000, 128, 2_000


def scenes(count: int, seed: int) -> list[demo.Scene]:
    rng = np.random.default_rng(seed)
    return [sample_scene(rng) for _ in range(count)]


def trained() -> VisionTransformer:
    """Train a small vision transformer to tell the 40 kinds apart."""
    drawn = scenes(SEEN, 100)
    pixels = torch.from_numpy(render_pool(drawn, demo.render))
    labels = torch.tensor([scene.class_index for scene in drawn])
    torch.manual_seed(0)
    model = VisionTransformer(
        image_size=64,
        patch_size=8,
        num_layers=4,
        num_heads=4,
        hidden_dim=96,
        mlp_dim=192,
        num_classes=len(demo.CLASSES),
    )
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS)
    for step in range(STEPS):
        some = torch.randint(SEEN, (BATCH,))
        loss = torch.nn.functional.cross_entropy(
            model(normalised(pixels[some])), labels[some], label_smoothing=0.05
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: {loss.item():.2f}", flush=True)
    return model.eval()


def main() -> None:
    """Train, analyse 2,000 scenes, and judge the labels of both poles on 2,000 others."""
    model = trained()
    others = SceneImages(scenes(PICTURES, 7))
    shows = annotate(others)
    words = list(shows.columns)
    inputs = torch.stack([demo.preprocess(picture) for picture, _ in others])
    with torch.no_grad():
        said = torch.cat([model(some).argmax(1) for some in inputs.split(100)])
    print(f"accuracy {(said == torch.tensor(others.targets)).float().mean():.2f}", flush=True)
    target = slw.TargetModel(
        model, LAYERS, transform=demo.preprocess, outputs=demo.CLASSES, pooling="mean"
    )
    images = slw.ImageDataset.from_dataset(SceneImages(scenes(PICTURES, 1)))
    with tempfile.TemporaryDirectory() as scratch:
        lens = slw.SemanticLens(target, images, demo.foundation(), path=f"{scratch}/vit").run()
        lens.label(words)
        print("poles:", dict(lens.poles))
        units = [torch.cat([*target.units(some).values()], 1) for some in inputs.split(100)]
        every = auroc(torch.cat(units).numpy(), shows.to_numpy())
        frame = lens.neurons
    given = frame["label"].map({word: at for at, word in enumerate(words)})
    rows = np.arange(len(frame))
    frame["true"] = np.where(given.isna(), 0.5, every[rows, given.fillna(0).astype(int)])
    frame["best"] = every.max(axis=1)
    frame["known"] = frame["label"] != "unknown"
    frame["pole"] = np.where(frame["name"].str.endswith("-"), "-", "+")
    told = frame.groupby(["layer", "pole"])
    print(told[["true", "best", "known", "dead"]].mean().round(3))
    constant = {
        key: every[(frame["layer"] == key[0]) & (frame["pole"] == key[1])].mean(0).max()
        for key in told.groups
    }
    print({f"{layer} {pole}": round(float(value), 3) for (layer, pole), value in constant.items()})


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
