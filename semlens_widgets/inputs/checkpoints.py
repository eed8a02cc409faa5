"""Where a foundation model of open_clip comes from: a name, a checkpoint, or a directory."""

from __future__ import annotations

import difflib
import gzip
import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semlens_widgets.errors import WeightsUnavailable
from semlens_widgets.inputs.described import describe, digest, weight_parts
from semlens_widgets.inputs.paths import local_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

_WEIGHTS = ("*.safetensors", "*.bin", "*.pth")
_CONFIG = "open_clip_config.json"
_LOCAL = "local-dir:"


def directory_of(model: str | Path) -> Path | None:
    """Return the directory that `model` means, or None if it is a name."""
    import open_clip

    if isinstance(model, Path):
        return local_path(model, "model")
    if model.startswith(_LOCAL):
        return local_path(model.removeprefix(_LOCAL), "model")
    if model.startswith("hf-hub:") or model.replace("/", "-") in open_clip.list_models():
        return None
    if "huggingface.co/" in model:
        name = "/".join(model.split("huggingface.co/")[1].split("/")[:2])
        raise ValueError(
            f"model={model!r} is an address; its name for open_clip is 'hf-hub:{name}'."
        )
    if (directory := local_path(model, "model")).is_dir():
        return directory
    close = difflib.get_close_matches(model, open_clip.list_models(), n=4, cutoff=0.4)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise ValueError(
        f"model={model!r} is neither an open_clip architecture nor an existing directory.{hint} "
        "open_clip.list_models() names all."
    )


def checked_directory(model: str | Path, directory: Path, pretrained: str | Path | None) -> str:
    """Return how open_clip calls a directory that holds a configuration and weights."""
    if not directory.is_dir():
        given = str(model).removeprefix(_LOCAL)
        raise ValueError(f"model: the directory {given!r} does not exist.")
    if pretrained is not None:
        raise ValueError(
            f"pretrained={str(pretrained)!r} has no meaning beside a directory, whose own weights "
            "are loaded; leave it out."
        )
    if not (directory / _CONFIG).is_file():
        raise ValueError(f"model: the directory {directory.name!r} holds no {_CONFIG}.")
    if not any(found for pattern in _WEIGHTS for found in directory.glob(pattern)):
        raise ValueError(
            f"model: the directory {directory.name!r} holds no weights "
            f"({', '.join(_WEIGHTS)}); without them the embeddings would be random."
        )
    return f"{_LOCAL}{directory}"


def checked_pretrained(identifier: str, pretrained: str | Path | None) -> str | None:
    """Return the tag or file that holds the weights; None where the name says it already."""
    import open_clip

    if identifier.startswith("hf-hub:"):
        if pretrained is not None:
            raise ValueError(
                f"pretrained={str(pretrained)!r} has no meaning beside {identifier!r}, which "
                "names its weights; leave it out."
            )
        return None
    tags = open_clip.list_pretrained_tags_by_model(identifier.replace("/", "-"))
    known = f"tags of {identifier!r}: {', '.join(map(repr, tags)) or 'none'}"
    if pretrained is None:
        raise ValueError(
            "pretrained is missing, and random weights embed nothing; name a tag or the path of a "
            f"checkpoint ({known})."
        )
    if str(pretrained) in tags:
        return str(pretrained)
    file = local_path(pretrained, "pretrained")
    if file.is_file():
        return str(file)
    raise ValueError(
        f"pretrained={str(pretrained)!r} is neither a known tag nor an existing file ({known})."
    )


@contextmanager
def downloads(identifier: str, here: bool) -> Iterator[None]:
    """Say what to do where weights that are not `here` cannot be had."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if here:
            raise
        raise WeightsUnavailable(
            f"{identifier!r} could not be loaded from the network: {str(error)[:300]}\n"
            "Without one, give pretrained= the path of a checkpoint, or a directory that holds "
            "open_clip_config.json and the weights. slw.demo.foundation() is a small model that "
            "comes with the package, to try things out."
        ) from error


def checked_vocabulary(path: str | Path | None) -> Path | None:
    """Return the file of a tokenizer's vocabulary, which must exist."""
    if path is None:
        return None
    file = local_path(path, "tokenizer_path")
    if not file.is_file():
        raise ValueError(f"tokenizer_path={str(path)!r} does not exist; give a bpe.txt.gz.")
    return file


def check_vocabulary_size(tokenizer: Any, text_config: dict[str, Any]) -> None:
    """Stop a tokenizer whose ids the text tower does not have."""
    has = getattr(tokenizer, "vocab_size", None)
    expected = text_config.get("vocab_size")
    if isinstance(has, int) and isinstance(expected, int) and has > expected:
        raise ValueError(
            f"The tokenizer has {has} entries, the model's text tower {expected}: put the "
            "bpe.txt.gz it was trained with into the directory, or name it in tokenizer_path."
        )


def name_of(
    identifier: str,
    directory: Path | None,
    pretrained: str | None,
    vocabulary: Path | None,
    network: torch.nn.Module,
) -> str:
    """Name model, weights, configuration and vocabulary alike on every machine."""
    words = [] if vocabulary is None else [gzip.decompress(vocabulary.read_bytes())]
    if directory is not None:
        config = json.loads((directory / _CONFIG).read_text("utf-8"))
        name = directory.resolve().name
        return f"{name}-{digest([*weight_parts(network), describe(config), *words])[:8]}"
    if pretrained is not None and Path(pretrained).is_file():
        name = f"{identifier}/{Path(pretrained).stem}"
        return f"{name}-{digest([*weight_parts(network), *words])[:8]}"
    name = identifier if pretrained is None else f"{identifier}/{pretrained}"
    return f"{name}-{digest(words)[:8]}" if words else name
