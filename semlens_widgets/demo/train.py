"""Train the models of the demo from seeds: ``python -m semlens_widgets.demo.train``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the recipes of a world and print the quality that results."""
    # Heavy imports wait: the processes that render import this module anew.
    from semlens_widgets.demo.models import classifier_file
    from semlens_widgets.demo.recipes import RECIPES
    from semlens_widgets.demo.train_classifier import train_classifier
    from semlens_widgets.demo.train_clip import train_clip

    parser = argparse.ArgumentParser(description="Train the demo's models from their seeds.")
    parser.add_argument("--world", choices=tuple(RECIPES), default="scenes", help="what of")
    parser.add_argument("--only", choices=("clip", "classifier"), help="train one kind alone")
    parser.add_argument("--threads", type=int, default=2, help="fewer than there are free cores")
    parser.add_argument("--device", default="cpu", help="where to train: cpu, cuda")
    parser.add_argument("--out", type=Path, help="folder for the weights")
    options = parser.parse_args(arguments)
    recipes = RECIPES[options.world]
    folder = options.out or recipes.weights
    where = (options.threads, options.device)
    if options.only != "classifier":
        train_clip(folder / "clip", recipes.clip, *where, world=recipes.world)
    if options.only != "clip":
        for planted, recipe in ((True, recipes.planted), (False, recipes.clean)):
            weights = folder / classifier_file(planted=planted)
            train_classifier(weights, recipe, *where, world=recipes.world)
    print(recipes.evaluate(folder, only=options.only))


if __name__ == "__main__":
    main()
