"""The trained models of the lesion world, as they come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors.torch import load_file

from semlens_widgets.demo.models import WEIGHTS, classifier_file, clip_dir
from semlens_widgets.demo.net import SmallResNet
from semlens_widgets.demo.skin.world import CLASSES

if TYPE_CHECKING:
    from pathlib import Path

    from semlens_widgets.inputs.foundation import OpenClip

#: Where the trained weights lie.
LESION_WEIGHTS = WEIGHTS / "lesions"

#: The class whose training pictures nearly all carry `ARTEFACT`; those of no other class do.
SHORTCUT_CLASS = "melanoma"

#: What gives it away: a surgeon's marker around lesions that were already suspected. Markings did
#: mislead a network about real lesions, see Winkler et al., JAMA Dermatology 155 (2019), 1135.
ARTEFACT = "ink"


def lesion_classifier(weights: Path = LESION_WEIGHTS, *, planted: bool = True) -> SmallResNet:
    """Load the trained classifier of lesions, in evaluation mode and float32.

    It has learnt a shortcut on purpose: ink makes it see a melanoma.

    Parameters
    ----------
    weights : Path
        The folder that training wrote.
    planted : bool
        False loads its clean twin, in whose training pictures ink was as independent of the
        diagnosis as every other artefact.
    """
    model = SmallResNet(classes=len(CLASSES))
    model.load_state_dict(load_file(weights / classifier_file(planted=planted)))
    return model.eval()


def lesion_foundation(weights: Path = LESION_WEIGHTS) -> OpenClip:
    """Load the domain's CLIP from `weights`: it was trained on drawn lesions, and knows no more."""
    from semlens_widgets.inputs.foundation import OpenClip

    return OpenClip(clip_dir(weights))
