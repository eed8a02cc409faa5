"""The map beside a bare regl-scatterplot of the same size, in the same page and run."""

from __future__ import annotations

import statistics
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.browser.map_page import ROOT, open_map_page, show_map
from tests.browser.server import NO_BROWSER, running_browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

FIRST_DRAW = 1.3
PAN_FRAME = 1.5
ROUNDS = 5
WIDTH, HEIGHT = 998, 458

# Production builds on both sides.
_BUNDLE = """
import { build } from 'esbuild';
const { outputFiles } = await build({ stdin: { contents: "export * from 'regl-scatterplot';" +
    "export { default } from 'regl-scatterplot'", resolveDir: '.' }, bundle: true, minify: true,
  format: 'esm', write: false, alias: { regl: 'regl/dist/regl.min.js' } });
process.stdout.write(outputFiles[0].text);
"""

_MEASURE = r"""
import createScatterplot from '/bare.js';
const frame = () => new Promise(requestAnimationFrame);
const arrived = new WeakMap();
const drawImage = CanvasRenderingContext2D.prototype.drawImage;
// Both sides paint with WebGL and copy to their own canvas; reading a pixel waits for it.
CanvasRenderingContext2D.prototype.drawImage = function (...args) {
  drawImage.apply(this, args);
  if (!(args[0] instanceof HTMLCanvasElement)) return;
  this.getImageData(0, 0, 1, 1);
  arrived.get(this.canvas)?.push(performance.now());
};
const times = (canvas) => {
  const list = [];
  arrived.set(canvas, list);
  return list;
};
const until = async (check) => {
  for (const end = performance.now() + 30_000; !check(); await frame()) {
    if (performance.now() > end) throw new Error(`still false: ${check}`);
  }
};
const intervals = (list) => list.slice(1).map((time, i) => time - list[i]);
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

async function bare(columns, { WIDTH, HEIGHT }) {
  const canvas = document.createElement('canvas');
  canvas.style.cssText = `width: ${WIDTH}px; height: ${HEIGHT}px`;
  document.getElementById('maps').append(canvas);
  const plot = createScatterplot({ canvas, width: WIDTH, height: HEIGHT, colorBy: 'valueA',
    pointColor: ['#0072b2', '#e08a00', '#009e73'], pointSize: 2.7, opacity: 0.46 });
  await frame(); await frame();
  const drawn = times(canvas);
  const started = performance.now();
  const points = { x: columns.x, y: columns.y, valueA: Float32Array.from(columns.layer) };
  const promise = plot.draw(points, { zDataType: 'categorical' });
  await until(() => drawn.length > 0);
  await promise;
  return { first: drawn[0] - started, drawn, close: () => { plot.destroy(); canvas.remove(); },
    pan: (step) => {
      const shift = 0.2 * Math.sin(step / 3);
      plot.view(new Float32Array([1,0,0,0, 0,1,0,0, 0,0,1,0, shift,0,0,1]));
    } };
}

async function ours(columns) {
  const model = new Model(columns);
  model.silent = true;
  const map = maps[show(model, 1000)];
  await until(() => model.sent.length >= 4);
  const replies = model.sent.map((request) => [request.id, ...model.answer(request)]);
  await frame(); await frame();
  const started = performance.now();
  for (const reply of replies) model.reply(...reply);
  model.silent = false;
  await until(() => map.el.querySelector('.slw-map-points'));
  const canvas = map.el.querySelector('.slw-map-points');
  const drawn = times(canvas);
  // The frames before the points have come show nothing; the one with points is wanted.
  const filled = () => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
    .some((value, i) => i % 4 === 3 && value > 0);
  let first = 0;
  for (let seen = 0; !first; await frame()) {
    if (drawn.length > seen) { seen = drawn.length; if (filled()) first = drawn[seen - 1]; }
  }
  const stage = map.el.querySelector('.slw-map-stage');
  const { left, top } = stage.getBoundingClientRect();
  stage.setPointerCapture = () => {};
  const point = (type, x, y) => stage.dispatchEvent(new PointerEvent(type, { bubbles: true,
    cancelable: true, pointerId: 1, button: 0, clientX: left + x, clientY: top + y }));
  point('pointerdown', 500, 230);
  return { first: first - started, drawn, model, map, stage, point,
    close: () => { point('pointerup', 500, 230); map.close(); },
    pan: (step) => point('pointermove', 500 + 60 * Math.sin(step / 3), 230) };
}

async function panned(plot, frames) {
  for (let step = 1; step < 4; step++) { plot.pan(step); await frame(); }
  plot.drawn.length = 0;
  for (let step = 4; plot.drawn.length <= frames; step++) { plot.pan(step); await frame(); }
  return median(intervals(plot.drawn));
}

window.measure = async (which, count, size, frames) => {
  const columns = neurons(count);
  const plot = await (which === 'bare' ? bare : ours)(columns, size);
  const pan = frames ? await panned(plot, frames) : 0;
  plot.close();
  await frame(); await frame();
  return { first: plot.first, pan };
};
window.measuring = true;
"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    command = ["node", "--input-type=module", "-e", _BUNDLE]
    made = subprocess.run(command, cwd=ROOT / "js", check=True, capture_output=True, text=True)
    files = {"/bare.js": made.stdout, "/measure.js": _MEASURE}
    with running_browser() as browser:
        if browser is None:
            pytest.skip(NO_BROWSER)
        with open_map_page(browser, more=files) as page:
            page.add_script_tag(url="/measure.js", type="module")
            page.wait_for_function("() => window.measuring")
            yield page


def measured(page: Page, count: int, rounds: int, frames: int = 0) -> dict[str, float]:
    """Medians over rounds in which both sides take turns, in milliseconds, and their ratios."""
    found: dict[str, list[float]] = {}
    size = {"WIDTH": WIDTH, "HEIGHT": HEIGHT}
    for turn in range(rounds + 1):
        for which in ("bare", "ours") if turn % 2 else ("ours", "bare"):
            times = page.evaluate(
                "([which, count, size, frames]) => measure(which, count, size, frames)",
                [which, count, size, frames],
            )
            if turn > 0:  # the first turn warms up
                for name, value in times.items():
                    found.setdefault(f"{which} {name}", []).append(value)
    medians = {name: statistics.median(values) for name, values in found.items()}
    print(f"\n{count:,} points:", {name: round(value, 1) for name, value in medians.items()})
    return medians


@pytest.mark.parametrize(("count", "rounds"), [(100_000, ROUNDS), (1_000_000, 3)])
def test_the_first_draw_takes_hardly_longer_than_bare(page: Page, count: int, rounds: int):
    times = measured(page, count, rounds)
    assert times["ours first"] <= FIRST_DRAW * times["bare first"]


def test_a_frame_of_panning_takes_hardly_longer_than_bare(page: Page):
    times = measured(page, 100_000, ROUNDS, frames=15)
    assert times["ours pan"] <= PAN_FRAME * times["bare pan"]


@pytest.mark.parametrize("count", [5_000, 100_000])
def test_hovering_shows_within_three_frames_and_asks_nobody(page: Page, count: int):
    place = show_map(page, count)
    page.wait_for_timeout(500)
    frames, messages = page.evaluate(
        """async place => {
            const { el, model } = maps[place];
            const stage = el.querySelector('.slw-map-stage');
            const canvas = el.querySelector('.slw-map-overlay');
            const { left, top, width, height } = stage.getBoundingClientRect();
            const read = () => canvas.getContext('2d')
                .getImageData(0, 0, canvas.width, canvas.height).data
                .reduce((sum, value) => (31 * sum + value) | 0, 0);
            const before = read();
            const sent = model.sent.length;
            const shown = () => el.querySelector('.slw-map-card');
            let at = 0;
            for (; at < 400 && !shown(); at++) {
                stage.dispatchEvent(new PointerEvent('pointermove', { bubbles: true,
                    clientX: left + width * 0.5 + at, clientY: top + height * 0.6 }));
                let frames = 0;
                while (frames < 3 && read() === before) {
                    await new Promise(requestAnimationFrame);
                    frames++;
                }
                if (read() !== before) return [frames, model.sent.length - sent];
            }
            return [-1, 0];
        }""",
        place,
    )
    page.evaluate("place => maps[place].close()", place)
    print(f"\n{count:,} points: hover in {frames} frames, {messages} messages")
    assert 0 <= frames <= 3
    assert messages == 0
