"""Concepts that a class should rest on, or should not: names, each with the phrases that say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

SIDES = ("valid", "spurious")
Concepts = dict[str, tuple[str, ...]]
Given = Sequence[str] | Mapping[str, str | Sequence[str]] | str | Path


def read_concepts(given: Given, side: str, *, of: str = "") -> Concepts:
    """Return concepts by name, each with its phrases, in the order given.

    Parameters
    ----------
    given
        A list of words; a dictionary from names to a phrase or a list of phrases; or the path of a
        YAML file that holds either, or both sides under ``valid:`` and ``spurious:``.
    side
        ``"valid"`` or ``"spurious"``: which section of such a file, and what messages call it.
    of
        What else messages say of where it stands.

    Raises
    ------
    ValueError
        If it holds nothing, something blank or something twice, or a file that is no such YAML.
    TypeError
        If it is none of these.
    """
    where = f"{side} in {of}" if of else side
    if isinstance(given, Path) or (
        isinstance(given, str) and given.lower().endswith((".yaml", ".yml"))
    ):
        where = f"{where} in {Path(given).name!r}"
        given = _section(Path(given), side)
    if isinstance(given, str) or not isinstance(given, (Mapping, Sequence)):
        raise TypeError(
            f"{where}: give a list of words such as ['watermark'], a dictionary from names to "
            f"phrases, or the path of a .yaml file; got {given!r}."
        )
    pairs: list[tuple[Any, Any]] = (
        list(given.items()) if isinstance(given, Mapping) else [(one, one) for one in given]
    )
    if not pairs:
        raise ValueError(f"{where}: there is no concept. Give at least one, such as 'watermark'.")
    found: Concepts = {}
    for name, phrases in pairs:
        key = _text(name, where)
        listed = [phrases] if isinstance(phrases, str) else phrases or []
        if not isinstance(listed, Sequence):
            raise TypeError(f"{where}: {name!r} must have phrases, texts; got {phrases!r}.")
        if not listed:
            raise ValueError(f"{where}: {name!r} has no phrases. Give at least one.")
        if key.casefold() in map(str.casefold, found):
            raise ValueError(f"{where}: {key!r} stands there twice.")
        found[key] = tuple(dict.fromkeys(_text(one, where) for one in listed))
    _refuse_twice(phrases_of(found), where)
    return found


def typed_concepts(text: str, side: str) -> dict[str, list[str]]:
    """Return the concepts that a person typed, for :func:`read_concepts`.

    Words between commas are each a concept; a line ``name: phrase, phrase`` is one.

    Raises
    ------
    ValueError
        If a name stands there twice.
    """
    pairs: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        spaced = [" ".join(word.split()) for word in (rest if colon else line).split(",")]
        words = [word for word in spaced if word]
        pairs += [(" ".join(name.split()), words)] if colon else [(word, [word]) for word in words]
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{side}: {name!r} stands there twice.")
    return dict(pairs)


def check_apart(valid: Concepts, spurious: Concepts) -> None:
    """Refuse a concept, or a phrase, that is said to be valid and spurious.

    Raises
    ------
    ValueError
        Naming it.
    """
    for one, other, what in (
        (list(valid), list(spurious), "concept"),
        (phrases_of(valid), phrases_of(spurious), "phrase"),
    ):
        folded = {text.casefold() for text in one}
        twice = [text for text in other if text.casefold() in folded]
        if twice:
            raise ValueError(
                f"The {what} {twice[0]!r} is both valid and spurious. Decide which it is; leave it "
                "out of both if it depends."
            )


def phrases_of(concepts: Concepts) -> list[str]:
    """Return all phrases, concept by concept."""
    return [phrase for phrases in concepts.values() for phrase in phrases]


def _refuse_twice(phrases: Sequence[str], where: str) -> None:
    folded = [phrase.casefold() for phrase in phrases]
    for phrase, lower in zip(phrases, folded, strict=True):
        if folded.count(lower) > 1:
            raise ValueError(f"{where}: the phrase {phrase!r} stands for several concepts.")


def _text(given: Any, where: str) -> str:
    if not isinstance(given, str):
        raise TypeError(
            f"{where}: {given!r} is not a text. In YAML, quote what is no word: 'no', '7'."
        )
    text = " ".join(given.split())
    if not text:
        raise ValueError(f"{where}: a concept or phrase is blank. Give a text like 'watermark'.")
    return text


def read_yaml(path: Path, what: str) -> Any:
    """Read a YAML file.

    Raises
    ------
    ValueError
        If there is none, or it is no YAML: with the line, and without the folder.
    """
    import yaml

    try:
        with path.open(encoding="utf-8") as file:
            return yaml.safe_load(file)
    except FileNotFoundError:
        raise ValueError(f"{what}: there is no file {path.name!r}.") from None
    except OSError as error:
        raise ValueError(
            f"{what}: {path.name!r} cannot be read: {error.strerror or error}."
        ) from None
    except Exception as error:  # noqa: BLE001 - a value of no kind raises whatever its kind does
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ValueError(f"{what}: {path.name!r} is no YAML{place}: {problem}.") from None


def _section(path: Path, side: str) -> Any:
    content = read_yaml(path, side)
    if not isinstance(content, Mapping) or not set(SIDES) & {str(key) for key in content}:
        for key in content if isinstance(content, Mapping) else ():
            if close := get_close_matches(str(key), SIDES, n=1, cutoff=0.7):
                raise ValueError(
                    f"{side}: {path.name!r} has a section {key!r}. Did you mean {close[0]!r}?"
                )
        return content if content is not None else []
    for key in content:
        if key not in SIDES:
            close = get_close_matches(str(key), SIDES, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"{side}: {path.name!r} has a section {key!r}; there are 'valid' and "
                f"'spurious'.{hint}"
            )
    if side not in content:
        raise ValueError(f"{side}: {path.name!r} has no section {side!r}.")
    return content[side] if content[side] is not None else []
