"""The page of a study: a person answers by key and mouse, comes back, and downloads."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

import semlens_widgets as slw
from semlens_widgets.lens.study_page import read_key
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

RATER = "=Ann, “A”"


@pytest.fixture(scope="module")
def lens(tmp_path_factory: pytest.TempPathFactory) -> slw.SemanticLens:
    target = slw.TargetModel(ColourNet(), ["seen"], transform=to_tensor, name="ColourNet")
    folder = tmp_path_factory.mktemp("study") / "analysis"
    images = slw.ImageDataset.from_list(colour_images())
    return slw.SemanticLens(target, images, ColourFoundation(), path=folder, n_examples=6).run()


def begin(page: Page, name: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Begin").click()


def at_task(page: Page, number: int) -> None:
    expect(page.get_by_role("heading")).to_have_text(f"Task {number} of 5")


def test_a_person_answers_comes_back_and_downloads(
    lens: slw.SemanticLens, browser: Browser, tmp_path: Path
):
    study = lens.study(3, tmp_path / "study.html", catch=2)
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(study.page.as_uri())
    page.get_by_role("button", name="Begin").click()  # without a name
    expect(page.get_by_role("heading")).to_have_text("Which picture does not belong?")
    begin(page, RATER)
    at_task(page, 1)
    expect(page.get_by_role("heading")).to_be_focused()
    for width in (320, 700, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shown = page.locator(".tile img").evaluate_all("all => all.map(one => one.naturalWidth)")
        assert len(shown) == 5
        assert all(shown)
    page.keyboard.press("3")
    at_task(page, 2)
    page.keyboard.press("6")  # there is no sixth
    page.get_by_role("button", name="Picture 5").click()
    at_task(page, 3)
    page.reload()
    at_task(page, 3)
    expect(page.get_by_text("2 of 5 answered")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    at_task(page, 2)
    chosen = page.get_by_role("button", name="Picture 5")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Picture 2").focus()
    page.keyboard.press("Enter")  # another choice
    at_task(page, 3)
    page.get_by_role("button", name="Not you?").click()
    begin(page, "Bob")
    expect(page.get_by_text("0 of 5 answered")).to_be_visible()
    page.get_by_role("button", name="Not you?").click()
    begin(page, RATER)
    for number in (3, 4, 5):
        at_task(page, number)
        page.keyboard.press("1")
    expect(page.get_by_role("heading")).to_have_text("All tasks are answered")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my answers").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name.startswith(f"study-{read_key(study.key).study}-Ann")
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["choice"] for row in rows] == ["3", "2", "1", "1", "1"]
    assert [row["position"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert sorted(row["task"] for row in rows) == ["1", "2", "3", "4", "5"]
    assert {row["rater"] for row in rows} == {f"'{RATER}"}
    found = lens.study_results([file], study.key, catch_right=0)
    assert found.raters["rater"].tolist() == [RATER]
    rights = [one.right for one in read_key(study.key).tasks]
    right = sum(int(row["choice"]) == rights[int(row["task"]) - 1] for row in rows)
    counted = found.raters.iloc[0]
    assert round(counted["right"] * counted["answers"]) + counted["caught"] == right
    assert complaints == []
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    context.close()


def test_where_nothing_is_kept_the_page_says_so(
    lens: slw.SemanticLens, browser: Browser, tmp_path: Path
):
    study = lens.study(3, tmp_path / "study.html", catch=2)
    context = browser.new_context()
    context.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); }"
    )
    page = context.new_page()
    page.goto(study.page.as_uri())
    begin(page, "Ann")
    page.keyboard.press("1")
    at_task(page, 2)
    expect(page.get_by_text("This browser keeps nothing")).to_be_visible()
    context.close()
