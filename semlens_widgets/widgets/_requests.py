"""What a request says, and how an error is said to people."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from semlens_widgets.widgets._columns import readable
from semlens_widgets.widgets._messages.neurons import Problem


def close_matches(value: object, known: Sequence[str]) -> str:
    """Return ``" Did you mean 'a' or 'b'?"``, or the known names if nothing is close."""
    close = difflib.get_close_matches(str(value), known, n=3, cutoff=0.5)
    if close:
        return f" Did you mean {' or '.join(map(repr, close))}?"
    return f" Known: {', '.join(map(repr, known[:12]))}{', ...' if len(known) > 12 else '.'}"


def describe(error: BaseException) -> Problem:
    """Return an exception as the error reply: its class and a message without machine paths."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    text = re.sub(r"(?<![\w.:/\\])(?:[A-Za-z]:)?(?:[/\\][^\s/\\'\":]+)+[/\\]", "", text)
    return Problem(
        type=type(error).__name__, message=readable(text).strip() or type(error).__name__
    )


def whole(params: Any) -> Mapping[str, Any]:
    """Return what a browser sent, if all its texts are ones that can be stored and sent back."""
    if not isinstance(params, Mapping):
        raise TypeError(f"A request's parameters are a {type(params).__name__}, not named.")
    try:
        json.dumps(params, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError(
            "A text holds half a character, such as of an emoji: type it anew."
        ) from None
    return params
