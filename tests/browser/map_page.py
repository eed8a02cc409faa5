"""The map in a page without Jupyter: its bundle, and a model made in the page that answers it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "semlens_widgets" / "static"
ORIGIN = "http://map.test"

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Map</title>
<link rel="stylesheet" href="/map.css"><body><main id="maps"></main></body></html>"""

# Neurons in clusters, each with its label; the same for the same seed.
_SCRIPT = r"""
const WORDS = ['striped', 'fur', 'wheel', 'sky', 'grass', 'face', 'text', 'water', 'brick', 'leaf',
  'metal', 'wood', 'eye', 'dog snout', 'bird', 'window', 'road', 'snow', 'watermark', 'fabric',
  'hand', 'red', 'green', 'round', 'dotted', 'grid', 'shadow', 'flower', 'insect', 'sea'];
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
export function neurons(count, layers = 3, models = 1) {
  const next = random(7);
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const centres = WORDS.map(() => {
    const [angle, radius] = [2 * Math.PI * next(), 0.82 * Math.sqrt(next())];
    return [radius * Math.cos(angle), radius * Math.sin(angle), 0.03 + 0.05 * next(), 0.2 + next()];
  });
  const total = centres.reduce((sum, c) => sum + c[3], 0);
  const columns = { x: new Float32Array(count), y: new Float32Array(count),
    clarity: new Float32Array(count), mean: new Float32Array(count),
    layer: new Uint16Array(count), model: new Uint16Array(count), neuron: new Uint32Array(count),
    label: new Uint32Array(count) };
  for (let i = 0; i < count; i++) {
    let at = next() * total;
    let c = 0;
    while ((at -= centres[c][3]) > 0 && c < centres.length - 1) c++;
    const far = next() < 0.12 ? 4 : 1;
    columns.x[i] = Math.max(-1, Math.min(1, centres[c][0] + far * centres[c][2] * normal()));
    columns.y[i] = Math.max(-1, Math.min(1, centres[c][1] + far * centres[c][2] * normal()));
    columns.label[i] = next() < 0.1 ? WORDS.length : c;
    columns.clarity[i] = Math.max(0.2, Math.min(0.95, 0.5 + 0.1 * normal() + 0.2 * (c % 3 - 1)));
    columns.mean[i] = Math.exp(normal());
    columns.layer[i] = Math.floor(layers * i / count);
    columns.model[i] = Math.floor(models * i / count);
    columns.neuron[i] = i - Math.ceil(columns.layer[i] * count / layers);
  }
  return columns;
}
const view = (array) => new DataView(array.buffer);
const none = () => new DataView(new ArrayBuffer(0));

export class Model {
  constructor(columns, traits = {}, { layers = 3, models = 1 } = {}) {
    this.columns = columns;
    this.sent = [];
    this.saved = 0;
    this.silent = false;
    this.listeners = new Map();
    const count = columns.x.length;
    this.layers = Array.from({ length: layers }, (_, i) => `layer${i + 2}`);
    this.models = Array.from({ length: models }, (_, i) => ['ResNet-50', 'ViT-B'][i] ?? `m${i}`);
    const infos = [['layer', 'Layer', 'category'], ['label', 'Label', 'category'],
      ['clarity', 'Clarity', 'number'], ['mean', 'Mean activation', 'number']];
    if (models > 1) infos.unshift(['model', 'Model', 'category']);
    this.traits = { active: null, highlight: none(), color_by: 'layer', size_by: null,
      opacity_by: null, filter: {}, contours: false, region_labels: true, tool: 'pan', height: 460,
      _count: count, _layers: this.layers, _labels: null, _data: {}, _selected: none(),
      _columns: infos.map(([name, title, kind]) => ({ name, title, kind, empty: false })),
      _revision: 1, ...traits };
  }
  get(name) { return this.traits[name]; }
  set(name, value) {
    this.traits[name] = value;
    for (const listener of [...(this.listeners.get(`change:${name}`) ?? [])]) listener();
  }
  save_changes() { this.saved++; }
  on(name, listener) {
    if (!this.listeners.has(name)) this.listeners.set(name, new Set());
    this.listeners.get(name).add(listener);
  }
  off(name, listener) { this.listeners.get(name)?.delete(listener); }
  get listening() { return [...this.listeners.values()].reduce((sum, set) => sum + set.size, 0); }
  reply(id, result, buffers) {
    for (const listener of [...(this.listeners.get('msg:custom') ?? [])]) {
      listener({ kind: 'reply', id, result }, buffers);
    }
  }
  send(request) {
    this.sent.push(request);
    if (this.silent) return;
    setTimeout(() => this.reply(request.id, ...this.answer(request)), 0);
  }
  answer({ method, params }) {
    const { columns } = this;
    if (method === 'labels') return [{ names: [...WORDS, ''] }, [view(columns.label)]];
    if (method === 'hover') return [{ label: WORDS[columns.label[params.row]] ?? '', score: 0.31,
      measures: [{ title: 'Clarity', value: columns.clarity[params.row] }],
      examples: this.pictures.map(() => 'example') }, this.pictures];
    const { name } = params;
    const values = columns[name];
    const legend = { name, title: this.traits._columns.find((c) => c.name === name)?.title ?? '' };
    if (name === 'x' || name === 'y') return [{ kind: 'place' }, [view(values)]];
    if (name === 'neuron') return [{ kind: 'index' }, [view(values)]];
    if (values instanceof Float32Array) {
      let [min, max] = [Infinity, -Infinity];
      for (const value of values) { min = Math.min(min, value); max = Math.max(max, value); }
      return [{ ...legend, kind: 'number', min, max, missing: 0 }, [view(values)]];
    }
    const known = { label: WORDS.slice(0, 8), layer: this.layers, model: this.models }[name];
    const names = name === 'label' ? [...known, 'other'] : known;
    const codes = Uint16Array.from(values, (code) =>
      name !== 'label' ? code : code === WORDS.length ? 0xffff : Math.min(code, 8));
    const counts = names.map(() => 0);
    for (const code of codes) counts[code]++;
    const missing = codes.reduce((sum, code) => sum + (code === 0xffff ? 1 : 0), 0);
    return [{ ...legend, kind: 'category', names, counts, missing }, [view(codes)]];
  }
  pictures = [];
}
"""

_START = r"""
import bundle from '/map.js';
import { Model, neurons } from '/model.js';
window.neurons = neurons;
window.Model = Model;
window.maps = [];
/** Show a model at a width; returns its place in window.maps. */
window.show = (model, width) => {
  const el = document.createElement('div');
  el.style.width = typeof width === 'number' ? `${width}px` : width;
  document.getElementById('maps').append(el);
  const cleanup = bundle.render({ model, el });
  window.maps.push({ model, el, close() { cleanup(); el.remove(); } });
  return window.maps.length - 1;
};
window.pictures = async (count) => Promise.all(Array.from({ length: count }, async (_, i) => {
  const canvas = new OffscreenCanvas(96, 96);
  const context = canvas.getContext('2d');
  const gradient = context.createLinearGradient(0, 0, 96, 96);
  gradient.addColorStop(0, `hsl(${60 * i + 20} 60% 55%)`);
  gradient.addColorStop(1, `hsl(${60 * i + 80} 50% 30%)`);
  context.fillStyle = gradient;
  context.fillRect(0, 0, 96, 96);
  const blob = await canvas.convertToBlob({ type: 'image/jpeg' });
  return new DataView(await blob.arrayBuffer());
}));
window.ready = true;
"""


@contextmanager
def open_map_page(
    browser: Browser,
    *,
    dark: bool = False,
    size: tuple[int, int] = (1700, 1000),
    more: dict[str, str] | None = None,
) -> Iterator[Page]:
    """Open an empty page with ``show``, ``Model`` and ``neurons``; ``more`` are further files."""
    files = {"/": _PAGE, "/model.js": _SCRIPT, "/start.js": _START, **(more or {})}

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        kinds = {"js": "text/javascript", "css": "text/css"}
        kind = kinds.get(path.rpartition(".")[2], "text/html")
        if path in files:
            route.fulfill(body=files[path], content_type=f"{kind}; charset=utf-8")
        elif (STATIC / path[1:]).is_file():
            route.fulfill(path=STATIC / path[1:], content_type=kind)
        else:
            route.fulfill(status=404)

    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.route(f"{ORIGIN}/**", answer)
    try:
        page.goto(f"{ORIGIN}/")
        if dark:
            page.add_style_tag(content="body { background: #111 }")
        page.add_script_tag(url="/start.js", type="module")
        page.wait_for_function("() => window.ready")
        yield page
    finally:
        context.close()


def show_map(page: Page, count: int, width: int | str = 1000, **traits: Any) -> int:
    """Show a map of some neurons, wait until it is drawn, and return its place among the maps."""
    place: int = page.evaluate(
        """([count, width, traits]) => {
            const models = traits.models ?? 1;
            const layers = traits.layers ?? 3;
            delete traits.models; delete traits.layers;
            const model = new Model(neurons(count, layers, models), traits, { layers, models });
            return show(model, width);
        }""",
        [count, width, traits],
    )
    wait_drawn(page, place)
    return place


def wait_drawn(page: Page, place: int) -> None:
    """Wait until a map has points on its canvas."""
    page.wait_for_function(
        """place => {
            const canvas = maps[place].el.querySelector('.slw-map-points');
            if (!canvas || canvas.width < 2) return false;
            const context = canvas.getContext('2d');
            const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
            for (let i = 3; i < data.length; i += 4) if (data[i] > 40) return true;
            return false;
        }""",
        arg=place,
        timeout=60_000,
    )
