"""What an installed wheel must do where nothing else is: no Node, no checkout, no network.

``python smoke.py`` in an environment that holds the wheel and its dependencies alone. It says what
does not hold, and then ends with an error.
"""

from __future__ import annotations

import importlib.metadata
import sys
import tempfile
from pathlib import Path

import semlens_widgets as slw

#: Enough pictures that each of the classes is among them some times, and few enough to be quick.
IMAGES = 400


def check(what: str, holds: object) -> None:
    """Say what is looked at, and stop where it does not hold."""
    print(f"{'ok    ' if holds else 'FAILED'} {what}")
    if not holds:
        sys.exit(1)


def main() -> None:
    """Look at the parts that a wheel can lack, and analyse a small world once."""
    home = Path(slw.__file__).parent
    checkout = Path(__file__).parents[1] / "semlens_widgets"
    check("the package is the installed one", home != checkout)
    here = importlib.metadata.distribution("semlens-widgets")
    check(f"the package and its metadata have one version, {slw.__version__}",
          here.version == slw.__version__)  # fmt: skip
    packed = [str(path) for path in here.files or ()]
    for name in ("LICENSE", "THIRD_PARTY_LICENSES.txt"):
        check(f"{name} lies beside the package", any(path.endswith(name) for path in packed))

    with tempfile.TemporaryDirectory() as folder:
        lens = slw.SemanticLens(
            target=slw.TargetModel(
                slw.demo.classifier(),
                layers=["layer4"],
                transform=slw.demo.preprocess,
                outputs=slw.demo.CLASSES,
            ),
            images=slw.ImageDataset.from_dataset(slw.demo.scene_images(IMAGES)),
            foundation=slw.demo.foundation(),
            path=Path(folder) / "run",
        ).run()
        check("every neuron has a row", len(lens.neurons) > 0)
        found = lens.search("watermark", top=5)
        check("a search finds neurons", len(found) == 5 and found["score"].notna().all())
        check("neurons get labels", (lens.label()["label"] != "").any())
        explorer = lens.explore()
        for name, view in {"explorer": explorer, **explorer.views}.items():
            check(f"the browser part of the {name} is built", "is not built" not in str(view._esm))
        page = Path(folder) / "page.html"
        layer, neuron = found[["layer", "neuron"]].iloc[0]
        lens.gallery(str(layer), int(neuron)).to_html(page)
        check("a page can be written", page.stat().st_size > 10_000)
        del lens, explorer
    print("all that was looked at holds")


if __name__ == "__main__":
    main()
