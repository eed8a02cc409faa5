"""Pages like those of VS Code and Colab: what a widget's text and ground are in each theme."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.pixels import picture
from tests.browser.scene_lens import scene_lens

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Locator

#: What the style sheet of ipywidgets has on the page, whatever the theme.
LIGHT = """:root { --jp-layout-color0: white; --jp-layout-color1: white; --jp-layout-color2: #eee;
  --jp-ui-font-color0: #000; --jp-border-color1: #9e9e9e; --jp-border-color2: #e0e0e0;
  --jp-brand-color1: #2196f3; --jp-ui-font-family: Helvetica, Arial, sans-serif; }"""
VSCODE = """:root {{ --vscode-editor-background: {ground}; --vscode-editor-foreground: {text};
  --vscode-editorWidget-background: {ground}; --vscode-sideBar-background: {ground};
  --vscode-focusBorder: #007fd4; }}
body {{ background: {ground}; }}"""
#: Up to 2026 VS Code paints white below every widget; later versions bridge some variables.
WHITE = ".slw-host { background: white !important; }"
BRIDGED = """.slw-host {{ --jp-ui-font-color0: {text}; --jp-brand-color1: #3794ff; }}"""
COLAB = (
    """:root {{ --jp-layout-color2: {raised}; }} body {{ background: {ground}; color: {text}; }}"""
)
PAGES = {
    "VS Code, light": ("", "vscode-light", "#ffffff", "#3b3b3b"),
    "VS Code, dark": ("", "vscode-dark", "#1f1f1f", "#cccccc"),
    "VS Code, high contrast": ("", "vscode-high-contrast", "#000000", "#ffffff"),
    "Colab, light": ("light", "", "#ffffff", "#1f1f1f"),
    "Colab, dark": ("dark", "", "#383838", "#e3e3e3"),
}


@pytest.fixture(scope="module")
def exported(analysis: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery on a page of its own."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(analysis, folder / "scenes")
    scene_lens(folder / "scenes").gallery("layer4", 17).to_html(folder / "page.html")
    return folder / "page.html"


def brightness(color: str) -> float:
    """Return the relative luminance of an rgb() of CSS."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return sum(weight * x for weight, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(element: Locator, ground: Locator) -> float:
    """Return WCAG's contrast of an element's text with the ground of another."""
    style = "(element, name) => getComputedStyle(element)[name]"
    colours = [element.evaluate(style, "color"), ground.evaluate(style, "backgroundColor")]
    low, high = sorted(map(brightness, colours))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("below", [WHITE, BRIDGED], ids=["white below", "bridged"])
def test_a_gallery_can_be_read(
    name: str, below: str, exported: Path, browser: Browser, tmp_path: Path
):
    colab, vscode, ground, text = PAGES[name]
    dark = brightness(_rgb(ground)) < 0.2
    styles = LIGHT + below.format(text=text) if below is BRIDGED else LIGHT + below
    raised = "#4a4a4a" if dark else "#f7f7f7"
    styles += (VSCODE if vscode else COLAB).format(ground=ground, text=text, raised=raised)
    page = browser.new_page(color_scheme="light")
    try:
        page.add_init_script(f"""addEventListener("readystatechange", () => {{
            if (!document.body || document.querySelector("#imitated")) return;
            const style = Object.assign(document.createElement("style"), {{ id: "imitated" }});
            style.textContent = {styles!r};
            document.head.append(style);
            if ({colab!r}) document.documentElement.setAttribute("theme", {colab!r});
            if ({vscode!r}) document.body.dataset.vscodeThemeKind = {vscode!r};
        }}, true);""")
        page.goto(exported.as_uri())
        root = page.locator(".slw-gallery")
        expect(root).to_have_class(re.compile("slw-dark" if dark else "slw-light"))
        expect(root.locator(".slw-tile img").first).to_be_visible()
        button = root.get_by_role("button", name="Relevance")
        button.hover()
        assert bool(picture(root)[2, 2].mean() < 100) is dark
        assert contrast(root, root) > 9
        assert contrast(root.locator(".slw-heading .slw-title"), root) > 9
        assert contrast(root.locator(".slw-facts .slw-muted").first, root) > 4.5
        assert contrast(button, button) > 7
        page.screenshot(path=str(tmp_path / "page.png"))
    finally:
        page.close()


def _rgb(color: str) -> str:
    return "rgb({}, {}, {})".format(*(int(color[at : at + 2], 16) for at in (1, 3, 5)))
