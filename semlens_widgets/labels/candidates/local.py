"""A vision-language model of the transformers library, in this process."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from semlens_widgets.labels.candidates.answers import LONGEST_ANSWER
from semlens_widgets.labels.candidates.vision_language import Said, VisionLanguageSource

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from semlens_widgets.labels.candidates.vision_language import Question

_MOST_TOKENS = 100


class TransformersVLM(VisionLanguageSource):
    """Candidate labels from an image-text-to-text model of ``transformers``, on this machine.

    ``pip install semlens-widgets[vlm]``. Answers are the most likely ones (nothing is sampled), and
    kept in the analysis as they come. See ``docs/vlm.md``.

    Parameters
    ----------
    model
        Such as ``AutoModelForImageTextToText`` gives; on the device that it shall run on.
    processor
        Its processor, with a chat template.
    n, contrast, also
        See :class:`VisionLanguageSource`.

    Raises
    ------
    ValueError
        If an argument makes no sense, or the processor has no chat template.
    """

    name = "transformers"

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        n: int = 3,
        contrast: bool = False,
        also: Sequence[str] = (),
    ) -> None:
        super().__init__(n=n, contrast=contrast, also=also)
        if not getattr(processor, "chat_template", None):
            raise ValueError(
                "processor: it has no chat template, by which a question is put; give the "
                "processor of a model that follows instructions."
            )
        self.model = model
        self.processor = processor

    @classmethod
    def load(
        cls,
        name: str | Path,
        *,
        device: str = "cpu",
        n: int = 3,
        contrast: bool = False,
        also: Sequence[str] = (),
    ) -> Self:
        """Load a model from a folder, or from the Hugging Face Hub.

        Weights are read from safetensors files alone, and no code that lies beside them is run.

        Parameters
        ----------
        name
            A folder on this machine, from which nothing is downloaded; or the name of a model on
            the hub (``"owner/model"``), which is downloaded if it is not there yet.
        device
            What it runs on.
        n, contrast, also
            See :class:`VisionLanguageSource`.

        Raises
        ------
        ImportError
            If transformers is not installed.
        FileNotFoundError
            If `name` is a path and there is no such folder.
        """
        try:
            from transformers import AutoModelForImageTextToText, AutoProcessor
        except ImportError as error:
            raise ImportError(
                "Local vision-language models need transformers: pip install semlens-widgets[vlm]"
            ) from error
        folder = Path(name).expanduser()
        if not folder.is_dir() and (isinstance(name, Path) or not _may_be_on_the_hub(name)):
            raise FileNotFoundError(f"name: there is no folder {str(folder)!r}.")
        source, here = (str(folder), True) if folder.is_dir() else (str(name), False)
        model: Any = AutoModelForImageTextToText
        processor: Any = AutoProcessor
        careful = {"local_files_only": here, "trust_remote_code": False}
        return cls(
            model.from_pretrained(source, use_safetensors=True, **careful).to(device).eval(),
            processor.from_pretrained(source, **careful),
            n=n,
            contrast=contrast,
            also=also,
        )

    def __repr__(self) -> str:
        return f"TransformersVLM({type(self.model).__name__})"

    @property
    def model_name(self) -> str:
        """What messages call the model."""
        return type(self.model).__name__

    def _identity(self) -> dict[str, Any]:
        """Return what tells the model from all others: its weights, and how it is spoken to."""
        seen = blake2b(digest_size=16)
        for name, value in sorted(self.model.state_dict().items()):
            seen.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            seen.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        generation = self.model.generation_config.to_diff_dict()
        generation.pop("transformers_version", None)  # a later release is no other model
        return {
            "weights": seen.hexdigest(),
            "model": self.model_name,
            "processor": self.processor.to_json_string(),
            "template": self.processor.chat_template,
            "generation": {**generation, "max_new_tokens": _MOST_TOKENS},
        }

    def _ask(
        self, questions: Iterator[Question], keep: Callable[[str, str], None]
    ) -> Generator[tuple[str, Said]]:
        for question in questions:
            said = self._answer(question)
            if not said.error:
                keep(question.fingerprint, said.text)
            yield question.fingerprint, said

    def _answer(self, question: Question) -> Said:
        shown = [{"type": "image", "image": grid} for grid in question.grids]
        messages = [
            {"role": "system", "content": [{"type": "text", "text": question.system}]},
            {"role": "user", "content": [*shown, {"type": "text", "text": question.text}]},
        ]
        given = self.processor.apply_chat_template(
            messages,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self.model.device, dtype=self.model.dtype)
        with torch.inference_mode():
            tokens = self.model.generate(**given, do_sample=False, max_new_tokens=_MOST_TOKENS)
        new = tokens[0, given["input_ids"].shape[1] :]
        if len(new) == _MOST_TOKENS and int(new[-1]) not in self._ends():
            return Said(error=f"the answer was cut off after {_MOST_TOKENS} tokens")
        text = self.processor.decode(new, skip_special_tokens=True)
        if not text.strip():
            return Said(error="the model answered without text")
        return Said(text[: LONGEST_ANSWER + 1])

    def _ends(self) -> set[int]:
        """Return the tokens that end an answer."""
        ends = self.model.generation_config.eos_token_id
        return set(ends) if isinstance(ends, (list, tuple)) else {ends}


def _may_be_on_the_hub(name: str) -> bool:
    """Whether a name is that of a model on the hub and no path."""
    parts = name.split("/")
    return len(parts) == 2 and all(parts) and not name.startswith((".", "~"))
