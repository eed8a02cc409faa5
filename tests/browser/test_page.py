"""A gallery on a page of its own, from disk: no kernel, no network."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.scene_lens import scene_lens
from tests.unit.page_file import PageFile

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser


def test_it_shows_pictures_and_relevance_and_asks_for_nothing(
    analysis: Path, browser: Browser, tmp_path: Path
):
    shutil.copytree(analysis, tmp_path / "scenes")
    lens = scene_lens(tmp_path / "scenes")
    evil = "</script><img src=x onerror=alert(1)>"
    lens.set_label("layer4", 17, evil)
    page_file = tmp_path / "gallery.html"
    lens.gallery("layer4", 17).to_html(page_file)
    context = browser.new_context(offline=True)
    try:
        page = context.new_page()
        asked, complaints = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(page_file.as_uri())
        tiles = page.locator(".slw-tile")
        expect(tiles).to_have_count(9)
        expect(page.locator(".slw-gallery")).to_contain_text(evil)
        first = tiles.first.locator("img, canvas").first
        expect(first).to_be_visible()
        page.get_by_role("button", name="Relevance").click()
        expect(tiles.first.locator("canvas").first).to_be_visible()
        page.get_by_label("Group").select_option("cluster")
        expect(page.locator(".slw-tile")).to_have_count(9)
        assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []
        assert complaints == []
        held = PageFile(page_file)
        for part in (held.text.encode(), *held.chunks):
            assert str(tmp_path).encode() not in part
    finally:
        context.close()
