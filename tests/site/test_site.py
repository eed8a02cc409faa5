"""The built site: every public name is in it, its links lead somewhere, it loads nothing from afar.

`make docs` builds it and runs these tests; they request nothing.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from sphinx.util.inventory import InventoryFile

import semlens_widgets as slw
from semlens_widgets import demo

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "site"
PAGES = sorted(SITE.rglob("*.html"))
#: What a browser fetches by itself, in contrast to a link that a person follows.
LOADS = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}


@cache
def soup(page: Path) -> BeautifulSoup:
    return BeautifulSoup(page.read_text("utf-8"), "html.parser")


@cache
def names_of(page: Path) -> frozenset[str]:
    """What a link may point at in a page."""
    found = soup(page).find_all(id=True)
    return frozenset(str(tag["id"]) for tag in found)


def documented() -> set[str]:
    inventory = InventoryFile.loads((SITE / "objects.inv").read_bytes(), uri="")
    return {name for kind in inventory.data if kind[:3] == "py:" for name in inventory.data[kind]}


def test_it_is_built():
    assert len(PAGES) > 40, "Build the site first: make docs"
    assert (SITE / "index.html").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SITE)))
def test_links_lead_somewhere(page):
    for tag in soup(page).find_all(href=True):
        address = urlsplit(tag["href"])
        if address.scheme:
            assert address.scheme in {"https", "http", "data"}, tag
            continue
        there = (page.parent / unquote(address.path)).resolve() if address.path else page
        assert there.is_file(), tag
        if address.fragment and there.suffix == ".html":
            assert unquote(address.fragment) in names_of(there), tag


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SITE)))
def test_a_page_loads_only_what_lies_beside_it(page):
    for name, attribute in LOADS.items():
        for tag in soup(page).find_all(name, attrs={attribute: True}):
            address = urlsplit(tag[attribute])
            if address.scheme == "data" or tag[attribute] == "#":
                continue
            assert not address.scheme, tag
            assert not address.netloc, tag
            assert (page.parent / unquote(address.path)).resolve().is_file(), tag


def test_styles_load_nothing_from_afar():
    styles = list(SITE.rglob("*.css"))
    assert styles
    for style in styles:
        assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text("utf-8"))


def test_every_public_name_is_in_the_reference():
    names = {f"semlens_widgets.{name}" for name in slw.__all__}
    names |= {f"semlens_widgets.demo.{name}" for name in demo.__all__}
    assert not names - documented()


def test_every_method_of_the_lens_is_in_the_reference():
    methods = {name for name, _ in inspect.getmembers(slw.SemanticLens) if name[0] != "_"}
    assert len(methods) > 50
    assert not {f"semlens_widgets.SemanticLens.{name}" for name in methods} - documented()


def test_a_notebook_shows_the_still_pictures_of_its_widgets():
    page = SITE / "notebooks" / "01_quickstart.html"
    pictures = soup(page).select(".cell_output img")
    assert len(pictures) == 3  # explorer, gallery, contrast panel
    assert not soup(page).find_all("script", type=re.compile("jupyter.widget"))
