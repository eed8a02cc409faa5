"""The foundation model: it puts images and words into one space."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from semlens_widgets.errors import LensUnavailable
from semlens_widgets.inputs.checkpoints import (
    check_vocabulary_size,
    checked_directory,
    checked_pretrained,
    checked_vocabulary,
    directory_of,
    downloads,
    name_of,
)
from semlens_widgets.inputs.embeddings import checked_embeddings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL import Image

CSP_TEMPLATES = (
    "{}",
    "{}-like",
    "a {}",
    "an image of a {}",
    "a closeup of a {}",
    "an image of a closeup of {}",
)
"""The six prompt templates of arXiv 2604.22477."""

CLIP_TEMPLATES = (
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)
"""The seven prompt templates that CLIP's authors chose from eighty for ImageNet (arXiv 2103.00020,
section 3.1.4, and their notebook "Prompt Engineering for ImageNet")."""

TEMPLATES = {"plain": ("{}",), "csp": CSP_TEMPLATES, "clip": CLIP_TEMPLATES}
"""Sentences around a label, by what a panel calls them."""

# Widgets may ask in another thread than cells. The module's lock stays behind when a model is sent.
_TEXT_LOCK = threading.Lock()
_TEXTS_KEPT = 20_000  # at 512 numbers each, 40 MB
_TEXTS_AT_ONCE = 256


@runtime_checkable
class FoundationModel(Protocol):
    """What is asked of a model that embeds images and texts.

    `name` identifies model and weights and is stored with the embeddings; `dim` is the length of
    an embedding. A model of images alone has no `encode_text` (or None): neurons are searched by
    pictures and by each other then, and get no labels. A model may also have
    ``kept_text(texts)``, which returns of each text the beginning that it reads, so that labels
    which are cut can be named.
    """

    name: str
    dim: int

    def transform(self, image: Image.Image) -> Tensor:
        """Turn an RGB image into the model's input, (3, height, width)."""
        ...

    def encode_images(self, images: Tensor) -> Tensor:
        """Embed transformed images: (batch, 3, height, width) to unit (batch, dim), float32."""
        ...

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Embed texts: to unit (texts, dim), float32."""
        ...


class OpenClip:
    """A CLIP-like model of the open_clip library.

    Parameters
    ----------
    model
        An architecture known to open_clip (``"ViT-B-32"``), ``"hf-hub:<organisation>/<name>"``,
        or a directory that holds ``open_clip_config.json`` and the weights (as a path or as
        ``"local-dir:<path>"``). A file ``bpe.txt.gz`` in it is the tokenizer's vocabulary.
    pretrained
        With an architecture: a tag of open_clip (downloaded on first use) or the path of a
        checkpoint. With a bare checkpoint the images are normalised as open_clip does by default;
        use a directory with its own ``preprocess_cfg`` where that is wrong.
    tokenizer_path
        A vocabulary of merges (``bpe.txt.gz``) instead of the model's own.
    device
        Where the model runs; by default the CPU. Embeddings are returned on the CPU.
    batch_size
        The most images that go through the model at once.
    autocast
        Run the encoders in half precision. Embeddings are normalised in float32 all the same.

    Raises
    ------
    ValueError
        If model, weights or vocabulary cannot be found, or do not fit each other.
    WeightsUnavailable
        If they cannot be downloaded.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        pretrained: str | Path | None = None,
        tokenizer_path: str | Path | None = None,
        device: str | torch.device | None = None,
        batch_size: int = 64,
        autocast: bool = False,
    ) -> None:
        import open_clip

        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} must be at least 1.")
        vocabulary = checked_vocabulary(tokenizer_path)
        directory = directory_of(model)
        if directory is not None:
            identifier = checked_directory(model, directory, pretrained)
            if vocabulary is None and (directory / "bpe.txt.gz").is_file():
                vocabulary = directory / "bpe.txt.gz"
            pretrained = None
        else:
            identifier = str(model)
            pretrained = checked_pretrained(identifier, pretrained)
        self.device = torch.device(device or "cpu")
        self.batch_size = batch_size
        self.autocast = autocast
        options = {} if vocabulary is None else {"bpe_path": str(vocabulary)}
        with downloads(identifier, directory is not None or Path(pretrained or "").is_file()):
            network, _, self._preprocess = open_clip.create_model_and_transforms(
                identifier, pretrained=pretrained, device=self.device
            )
            self._tokenizer = open_clip.get_tokenizer(identifier, **options)
            config: dict[str, Any] = open_clip.get_model_config(identifier)
        self._network = network.eval()
        check_vocabulary_size(self._tokenizer, config.get("text_cfg", {}))
        self.dim = int(config["embed_dim"])
        self.name = name_of(identifier, directory, pretrained, vocabulary, network)
        self._texts: OrderedDict[str, Tensor] = OrderedDict()  # least recently used first

    def __repr__(self) -> str:
        return f"OpenClip({self.name}, dim={self.dim})"

    def transform(self, image: Image.Image) -> Tensor:
        """Turn an RGB image into the model's input, (3, height, width)."""
        tensor: Tensor = self._preprocess(image)
        return tensor

    def encode_images(self, images: Tensor) -> Tensor:
        """Embed transformed images.

        Parameters
        ----------
        images
            (batch, 3, height, width), each from `transform`.

        Returns
        -------
        Tensor
            (batch, dim) float32 unit vectors on the CPU.

        Raises
        ------
        ValueError
            If `images` is not a batch of images.
        """
        if images.ndim != 4:
            raise ValueError(
                f"images has shape {tuple(images.shape)}; expected (batch, 3, height, width)."
            )
        return self._encoded(self._network.encode_image, images, self.batch_size)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Embed texts; each different text goes through the model once.

        Returns
        -------
        Tensor
            (texts, dim) float32 unit vectors on the CPU.

        Raises
        ------
        TypeError
            If `texts` is one string rather than a list of them.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts must be a list of strings: [{texts!r}].")
        with _TEXT_LOCK:
            return self._encode_text(texts)

    def _encode_text(self, texts: Sequence[str]) -> Tensor:
        unknown = [text for text in dict.fromkeys(texts) if text not in self._texts]
        if unknown:
            tokens = self._tokenizer(unknown)
            # What reads the same is embedded once: the last bits depend on the place in a batch.
            rows_of: dict[bytes, list[int]] = {}
            for at, row in enumerate(tokens.numpy()):
                rows_of.setdefault(row.tobytes(), []).append(at)
            different = tokens[[same[0] for same in rows_of.values()]]
            encoded = self._encoded(self._network.encode_text, different, _TEXTS_AT_ONCE)
            for same, vector in zip(rows_of.values(), encoded, strict=True):
                self._texts.update((unknown[at], vector) for at in same)
        rows = []
        for text in texts:
            self._texts.move_to_end(text)
            rows.append(self._texts[text])
        while len(self._texts) > _TEXTS_KEPT:
            self._texts.popitem(last=False)
        return torch.stack(rows) if rows else torch.empty(0, self.dim)

    def kept_text(self, texts: Sequence[str]) -> list[str]:
        """Return of each text the beginning that the text encoder reads: all of it, unless long."""
        context = self._tokenizer([""]).shape[1]
        kept = list(texts)
        # Every token stands for a byte or more, but for those around a text, two or a few.
        long = [at for at, text in enumerate(texts) if len(text.encode()) > context - 4]
        cut = [
            at
            for at, is_cut in zip(long, self._cuts([kept[i] for i in long]), strict=True)
            if is_cut
        ]
        fits, fails = dict.fromkeys(cut, 0), {at: len(texts[at]) for at in cut}
        while halving := [at for at in cut if fails[at] - fits[at] > 1]:
            middle = {at: (fits[at] + fails[at]) // 2 for at in halving}
            cuts = self._cuts([texts[at][: middle[at]] for at in halving])
            for at, is_cut in zip(halving, cuts, strict=True):
                (fails if is_cut else fits)[at] = middle[at]
        for at in cut:
            kept[at] = texts[at][: fits[at]]
        return kept

    def _cuts(self, texts: list[str]) -> list[bool]:
        """Whether the tokenizer leaves out the end of each text: with more room, it says more."""
        if not texts:
            return []
        short = self._tokenizer(texts)
        width = short.shape[1]
        long = self._tokenizer([*texts, ""], context_length=width + 2)
        padding = long[-1, -1]
        more = (long[:-1, :width] != short).any(1) | (long[:-1, width:] != padding).any(1)
        found: list[bool] = more.tolist()
        return found

    def _encoded(
        self, encode: Callable[[Tensor], Tensor], inputs: Tensor, batch_size: int
    ) -> Tensor:
        half = torch.bfloat16 if self.device.type == "cpu" else torch.float16
        with (
            torch.no_grad(),
            torch.autocast(self.device.type, dtype=half, enabled=self.autocast),
        ):
            parts = [
                normalize(encode(batch.to(self.device, non_blocking=True)).float(), dim=-1).cpu()
                for batch in torch.split(inputs, batch_size)
                if len(batch)
            ]
        return torch.cat(parts) if parts else torch.empty(0, self.dim)


def checked_templates(templates: Sequence[str]) -> tuple[str, ...]:
    """Return the templates, or refuse them.

    Raises
    ------
    ValueError
        If there is none or one has no place for the text.
    TypeError
        If they are one string, or one of them is none.
    """
    if isinstance(templates, str):
        raise TypeError(f"templates must be a list of sentences: [{templates!r}].")
    if not len(templates):
        raise ValueError('templates is empty; ("{}",) takes the texts as they are.')
    for template in templates:
        if not isinstance(template, str):
            raise TypeError(f"templates holds {template!r}, which is no text.")
        if "{}" not in template:
            raise ValueError(
                f'templates holds {template!r}, which has no {{}} for the text; write "a {{}}".'
            )
    return tuple(templates)


def embed_prompts(
    foundation: FoundationModel, texts: Sequence[str], templates: Sequence[str] = ("{}",)
) -> Tensor:
    """Embed every text in every template.

    Parameters
    ----------
    foundation
        The model that embeds.
    texts
        Words or phrases; the empty text is allowed and gives the empty prompt.
    templates
        Each holds ``{}`` where the text goes, such as `CSP_TEMPLATES`.

    Returns
    -------
    Tensor
        (templates, texts, dim) float32 unit vectors.

    Raises
    ------
    ValueError
        If there is no template or one has no place for the text.
    EmbeddingError
        If the model returns no embeddings.
    LensUnavailable
        If the model has no text tower.
    TypeError
        If `texts` or `templates` is one string.
    """
    if isinstance(texts, str):
        raise TypeError(f"texts must be a list of strings: [{texts!r}].")
    templates = checked_templates(templates)
    prompts = [template.replace("{}", text) for template in templates for text in texts]
    if not prompts:
        return torch.empty(len(templates), 0, foundation.dim)
    encode = getattr(foundation, "encode_text", None)
    if encode is None:
        raise LensUnavailable(
            f"The foundation model {foundation.name!r} has no text tower (encode_text), so nothing "
            "can be said in words: no search by text, no labels. Search by a picture or a neuron, "
            "or analyse the images with a model of images and texts, such as OpenClip(...)."
        )
    found = checked_embeddings(foundation, encode(prompts), prompts)
    return found.view(len(templates), len(texts), foundation.dim)
