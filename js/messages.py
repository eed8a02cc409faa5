"""Writes src/source/messages.ts from semlens_widgets/widgets/_messages.

Run by ``make messages``; a test fails while the file is not current.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any, Literal, NotRequired, Union, get_args, get_origin

from typing_extensions import get_original_bases, get_type_hints, is_typeddict

from semlens_widgets.widgets import _messages

TARGET = Path(__file__).parent / "src/source/messages.ts"
HEAD = "// Made from semlens_widgets/widgets/_messages by js/messages.py: change it there.\n"
_PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}


def typescript(kind: Any) -> str:
    """Return a Python type as TypeScript."""
    if kind in _PLAIN or is_typeddict(kind):
        return _PLAIN.get(kind) or str(kind.__name__)
    origin, of = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " | ".join(f'"{one}"' for one in of)
    if origin in {Union, types.UnionType}:
        return " | ".join(dict.fromkeys(map(typescript, of)))
    if origin is list:
        inner = typescript(of[0])
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if origin is tuple:
        return f"[{', '.join(map(typescript, of))}]"
    if origin is dict and of[0] is str:
        return f"Record<string, {typescript(of[1])}>"
    raise TypeError(f"There is no TypeScript for {kind!r}.")


def _interface(kind: Any) -> str:
    bases = [base for base in get_original_bases(kind) if is_typeddict(base)]
    inherited = {name for base in bases for name in get_type_hints(base)}
    fields = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name not in inherited:
            origin: Any = get_origin(hint)
            optional = origin is NotRequired
            inner = get_args(hint)[0] if optional else hint
            fields.append(f"  {name}{'?' if optional else ''}: {typescript(inner)};\n")
    extends = f" extends {', '.join(base.__name__ for base in bases)}" if bases else ""
    said = [line.strip() for line in kind.__doc__.replace("``", "`").splitlines() if line.strip()]
    body = f"{{\n{''.join(fields)}}}" if fields else "{}"
    return f"/** {' '.join(said)} */\nexport interface {kind.__name__}{extends} {body}\n"


def written() -> str:
    """Return messages.ts as it is to be."""
    declared = [
        one
        for module in _messages.MODULES
        for one in vars(module).values()
        if is_typeddict(one) and one.__module__ == module.__name__
    ]
    parts = [HEAD, *map(_interface, declared)]
    for name, said, table in (
        ("Questions", "By method: what is asked, and what is answered.", _messages.QUESTIONS),
        ("Actions", "By method: what is to be done, and what was.", _messages.ACTIONS),
    ):
        rows = [
            f"  {method}: {{ params: {asked}; result: {answered} }};\n"
            for method, one in table.items()
            for asked, answered in [(typescript(one.params), typescript(one.result))]
        ]
        parts.append(f"/** {said} */\nexport interface {name} {{\n{''.join(rows)}}}\n")
    limits = ", ".join(f"{method}: {one.limit}" for method, one in _messages.ACTIONS.items())
    parts.append(
        "/** How many seconds may pass without a sign of life. */\n"
        f"export const LIMITS: Record<keyof Actions, number> = {{ {limits} }};\n"
    )
    long = ", ".join(f'"{method}"' for method, one in _messages.ACTIONS.items() if one.long)
    parts.append(
        "/** What is done in a thread of its own, and may be stopped. */\n"
        f"export const LONG: ReadonlySet<string> = new Set([{long}]);\n"
    )
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(written(), "utf-8")
