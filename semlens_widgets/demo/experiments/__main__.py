"""Run an experiment, or go on with one: ``python -m semlens_widgets.demo.experiments <name>``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from semlens_widgets.demo.experiments import EXPERIMENTS, experiment

if TYPE_CHECKING:
    from collections.abc import Sequence


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 1")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and measure what is missing, and write the tables."""
    parser = argparse.ArgumentParser(
        description="Measure what is told of many networks; what is finished is not done again."
    )
    parser.add_argument("name", choices=EXPERIMENTS, help="which experiment")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("experiments"),
        help="where finished runs are kept (default: %(default)s)",
    )
    parser.add_argument("--threads", type=_count, default=2, help="fewer than there are free cores")
    parser.add_argument("--device", default="cpu", help="where networks are trained: cpu, cuda")
    options = parser.parse_args(arguments)
    asked = experiment(options.name)
    print(asked.TITLE)
    asked.run(options.folder, options.threads, options.device)


if __name__ == "__main__":
    main()
