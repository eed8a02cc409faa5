"""What widgets take in the kernel and in the page, counted: it must not grow with every run."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.notebook import Notebook

# Listeners on what outlives a widget, observers that observe, and WebGL contexts that are not lost.
# JupyterLab has listeners too and takes them when it likes; only widgets are loaded from blobs.
_WATCH = """() => {
    const listeners = new Map(), observers = new Map(), contexts = new Set();
    const outlives = target => [window, document, document.body, document.documentElement]
        .includes(target) || target instanceof MediaQueryList;
    const byWidget = () => new Error().stack.includes('blob:');
    const key = (type, options) =>
        `${type} ${Boolean(typeof options === 'object' ? options?.capture : options)}`;
    const { addEventListener, removeEventListener } = EventTarget.prototype;
    EventTarget.prototype.addEventListener = function (type, listener, options) {
        if (outlives(this ?? window) && byWidget()) {
            const known = listeners.get(listener) ?? new Set();
            listeners.set(listener, known.add(key(type, options)));
        }
        return addEventListener.call(this, type, listener, options);
    };
    EventTarget.prototype.removeEventListener = function (type, listener, options) {
        const known = listeners.get(listener);
        if (known && outlives(this ?? window)) {
            known.delete(key(type, options));
            if (known.size === 0) listeners.delete(listener);
        }
        return removeEventListener.call(this, type, listener, options);
    };
    for (const name of ['ResizeObserver', 'IntersectionObserver', 'MutationObserver']) {
        window[name] = class extends window[name] {
            observe(target, ...of) {
                if (byWidget()) observers.set(this, (observers.get(this) ?? new Set()).add(target));
                super.observe(target, ...of);
            }
            unobserve(target) {
                observers.get(this)?.delete(target);
                super.unobserve(target);
            }
            disconnect() { observers.delete(this); super.disconnect(); }
        };
    }
    const { getContext } = HTMLCanvasElement.prototype;
    HTMLCanvasElement.prototype.getContext = function (kind, options) {
        const context = getContext.call(this, kind, options);
        if (/webgl/.test(kind) && context) contexts.add(context);
        return context;
    };
    // Whether a thing is in sight depends on where the page stands: such observers come and go, and
    // only those whose things have left the page are too many.
    const gone = targets => ![...targets].some(target => target.isConnected);
    const bySight = observer => observer instanceof IntersectionObserver;
    const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
    window.remains = async () => {
        const renderer = Object.getOwnPropertySymbols(globalThis)
            .find(symbol => symbol.description.startsWith('semlens_widgets.renderer'));
        return {
            comms: Object.keys((await kernel.requestCommInfo({})).content.comms).length,
            maps: globalThis[renderer]?.users.size ?? 0,
            contexts: [...contexts].filter(context => !context.isContextLost()).length,
            listeners: [...listeners.values()].flatMap(keys => [...keys]).sort(),
            observers: [...observers.keys()].filter(observer => !bySight(observer)).length,
            lost: [...observers.values()].filter(gone).length,
        };
    };
}"""
_RUN = """async ([cell, source]) => {
    const { content } = window.jupyterapp.shell.currentWidget;
    content.activeCellIndex = cell;
    content.deselectAll();
    if (source !== null) content.activeCell.model.sharedModel.setSource(source);
    await window.jupyterapp.commands.execute('notebook:run-cell');
}"""


class Remains(TypedDict):
    """How many there are; of listeners, observers and contexts those made since `watch`."""

    comms: int
    maps: int
    contexts: int
    listeners: list[str]
    observers: int  # of size and of changes
    lost: int  # of all kinds, whose things have all left the page


def watch(page: Page) -> None:
    """Count from now on."""
    page.evaluate(_WATCH)


def remains(page: Page) -> Remains:
    """Return the counts when they are steady."""
    found: Remains = page.evaluate("() => window.remains()")
    for _ in range(40):
        page.wait_for_timeout(400)
        last, found = found, page.evaluate("() => window.remains()")
        if found == last:
            return found
    raise AssertionError(f"never steady: {found}")


def run_cell(notebook: Notebook, cell: int, source: str | None = None) -> None:
    """Run one cell, with new words where they are given."""
    notebook.page.evaluate(_RUN, [cell, source])
