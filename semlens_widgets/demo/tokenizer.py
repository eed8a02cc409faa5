"""A small cut of CLIP's byte-pair vocabulary: only the merges that the scene world's words use."""

from __future__ import annotations

import gzip
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from semlens_widgets.demo.captions import all_words

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write_vocabulary(path: Path, phrases: Iterable[str] | None = None) -> int:
    """Write a reduced merge table for open_clip's `SimpleTokenizer(bpe_path=...)`.

    Words of the phrases are segmented as in CLIP, because every merge of theirs is kept and the
    order of merges is unchanged. Other words fall apart into smaller pieces, at worst bytes.

    Parameters
    ----------
    path : Path
        The gzip file to write.
    phrases : iterable of str, optional
        Texts whose words must survive; all of the scene world's by default.

    Returns
    -------
    int
        The size of the vocabulary.
    """
    from open_clip.tokenizer import SimpleTokenizer

    full = SimpleTokenizer()
    ranks: dict[tuple[str, str], int] = full.bpe_ranks
    used: set[tuple[str, str]] = set()
    for word in known_words(phrases):
        used |= _merges_of(word, ranks)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in sorted(used, key=ranks.__getitem__))]
    # A fixed time stamp keeps the file identical from run to run.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        file.write("\n".join(lines).encode())
    return int(SimpleTokenizer(bpe_path=str(path)).vocab_size)


def known_words(phrases: Iterable[str] | None = None) -> list[str]:
    """Return the sorted words of the phrases; of the whole scene world by default."""
    phrases = all_words() if phrases is None else phrases
    return sorted({word for text in phrases for word in re.findall(r"[a-z]+", text.lower())})


def _merges_of(word: str, ranks: dict[tuple[str, str], int]) -> set[tuple[str, str]]:
    """Segment a word of plain letters as CLIP does and return the merges this took."""
    pieces = [*word[:-1], word[-1] + "</w>"]
    used: set[tuple[str, str]] = set()
    while len(pieces) > 1:
        pairs = list(pairwise(pieces))
        best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        used.add(best)
        merged: list[str] = []
        for piece in pieces:
            if merged and (merged[-1], piece) == best:
                merged[-1] += piece
            else:
                merged.append(piece)
        pieces = merged
    return used
