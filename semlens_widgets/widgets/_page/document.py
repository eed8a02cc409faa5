"""A page as HTML: one file that holds all it shows, or a folder that a web server serves."""

from __future__ import annotations

import base64
import html
import secrets
import shutil
from typing import TYPE_CHECKING, Any

from semlens_widgets.widgets._base import STATIC
from semlens_widgets.widgets._page.chunks import compact

if TYPE_CHECKING:
    from pathlib import Path

    from semlens_widgets.widgets._page.chunks import Chunk

# What draws the map with WebGL makes functions of texts of its own, which is called unsafe-eval.
_ALONE = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'unsafe-inline'; img-src blob: data:"
)
_SERVED = (
    "default-src 'none'; script-src 'self' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src blob: data:; connect-src 'self'"
)
_DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
{style}
</head>
<body>
<main id="slw-page">
<p id="slw-opening" role="status">Opening … <progress id="slw-progress"></progress></p>
</main>
<noscript>This page needs JavaScript, which it carries along.</noscript>
<script type="application/json" id="slw-contents">{contents}</script>
{script}
{chunks}
</body>
</html>
"""
_CHUNK = '<script type="application/octet-stream" data-chunk="{number}">{data}</script>'
_SHEET, _CODE = "page.css", "page.js"
_CONTENTS = 'id="slw-contents"'
#: In a folder, where the chunks are.
_DATA = "data"


def one_file(contents: dict[str, Any], chunks: list[Chunk], title: str) -> str:
    """Return a page that holds all it shows.

    Raises
    ------
    FileNotFoundError
        If the browser part of pages is not built.
    """
    code = built(_CODE).replace("</script", r"<\/script").replace("<!--", r"<\!--")
    return _DOCUMENT.format(
        policy=html.escape(_ALONE),
        title=html.escape(title),
        style=f"<style>{built(_SHEET)}</style>",
        contents=in_script(compact({**contents, "chunks": _listed(chunks), "at": None})),
        # Before the chunks: it shows how many of them have come.
        script=f'<script type="module" async>{code}</script>',
        chunks="\n".join(
            _CHUNK.format(number=number, data=base64.b64encode(one.data).decode("ascii"))
            for number, one in enumerate(chunks)
        ),
    )


def write_file(path: Path, page: str) -> None:
    """Write a page; what was there stays until the whole of it is written."""
    written = _beside(path)
    try:
        with written.open("x", encoding="utf-8", newline="\n") as file:
            file.write(page)
        written.replace(path)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def write_folder(path: Path, contents: dict[str, Any], chunks: list[Chunk], title: str) -> None:
    """Write a page as a folder for a web server; what was there stays until all of it is written.

    Raises
    ------
    FileNotFoundError
        If the browser part of pages is not built.
    """
    page = _DOCUMENT.format(
        policy=html.escape(_SERVED),
        title=html.escape(title),
        style=f'<link rel="stylesheet" href="{_SHEET}">',
        contents=in_script(compact({**contents, "chunks": _listed(chunks), "at": f"{_DATA}/"})),
        # A module would not even start where there is no server, and could say nothing.
        script=f'<script src="{_CODE}" defer></script>',
        chunks="",
    )
    written, before = _beside(path), _beside(path)
    written.mkdir()
    try:
        (written / "index.html").write_text(page, "utf-8")
        (written / _SHEET).write_text(built(_SHEET), "utf-8")
        (written / _CODE).write_text(f"(async () => {{{built(_CODE)}}})();", "utf-8")
        (written / _DATA).mkdir()
        for number, one in enumerate(chunks):
            (written / _DATA / str(number)).write_bytes(one.data)
        if path.exists():
            path.replace(before)
        written.replace(path)
    except BaseException:
        shutil.rmtree(written, ignore_errors=True)
        if before.exists():
            before.replace(path)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _beside(path: Path) -> Path:
    """Return a hidden place in the same folder, where nothing is."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def is_page(folder: Path) -> bool:
    """Return whether a folder is one that was written here, or empty: it may be replaced."""
    if not folder.is_dir():
        return False
    names = {one.name for one in folder.iterdir()}
    return not names or (
        names == {"index.html", _SHEET, _CODE, _DATA}
        and _CONTENTS in (folder / "index.html").read_text("utf-8", errors="replace")
    )


def built(name: str) -> str:
    """Return a file of the browser part of pages.

    Raises
    ------
    FileNotFoundError
        If it is not built.
    """
    file = STATIC / name
    if not file.is_file():
        raise FileNotFoundError(
            f"The browser part of pages ({name}) is not built. Run: pip install -e ."
        )
    return file.read_text("utf-8")


def in_script(text: str) -> str:
    """Return JSON that no browser takes for the end of a script, whatever is in it."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _listed(chunks: list[Chunk]) -> list[list[int]]:
    """Return of each chunk its bytes when read, as stored, and whether it is deflated."""
    return [[one.size, len(one.data), int(one.deflated)] for one in chunks]
