// A page without a kernel: it opens what it holds, and shows the first of its widgets.
import { render } from "preact";
import { effect } from "@preact/signals";
import { followTheme } from "../shared/theme";
import { EmbeddedSource } from "../source/embedded-source";
import { PageDecisions } from "../source/page-decisions";
import { fromBase64, PagePool, type ChunkSizes, type Fetch } from "../source/page-pool";
import type { AuditSaid } from "../source/messages";
import { asError } from "../source/resources";
import { AboutPage, MadeDecisions, type About } from "./about";
import { createHost, type WidgetOfPage } from "./models";
import "../shared/theme.css";
import "./page.css";

/** As widgets/_page/document.py writes it. */
interface Contents {
  about: About;
  models: WidgetOfPage[];
  index: [chunk: number, position: number];
  chunks: ChunkSizes[];
  /** Where the chunks are fetched from; null: they are in the page. */
  at: string | null;
}

const OLD =
  "This browser cannot open the page: it needs Chrome or Edge 103, Firefox 113, Safari 16.4, or newer.";
const NO_SERVER =
  "This page is loaded part by part and needs a web server. In its folder, run “python -m http.server”, " +
  "and open http://localhost:8000.";

const held = (document: Document) => document.querySelectorAll("script[data-chunk]");

/** Wait for the chunks that come with the page itself, and tell how many there are. */
async function arrived(document: Document, told: (count: number) => void): Promise<void> {
  while (document.readyState === "loading") {
    told(held(document).length);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 100);
      document.addEventListener("DOMContentLoaded", () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
}

function fromPage(document: Document): Fetch {
  const scripts = [...held(document)];
  return async (chunk) => fromBase64(scripts[chunk]?.textContent ?? "");
}

const fromFolder = (at: string): Fetch => async (chunk) => {
  const answer = await fetch(`${at}${chunk}`).catch(() => null);
  if (!answer?.ok) throw new Error("A part of this page could not be loaded. Is its web server there?");
  return new Uint8Array(await answer.arrayBuffer());
};

/** Show what a page holds in the element that waits for it. */
export async function openPage(document: Document): Promise<void> {
  const place = document.getElementById("slw-page")!;
  try {
    if (typeof DecompressionStream === "undefined") throw new Error(OLD);
    const contents = JSON.parse(document.getElementById("slw-contents")!.textContent!) as Contents;
    if (contents.at !== null && location.protocol === "file:") throw new Error(NO_SERVER);
    const progress = document.getElementById("slw-progress") as HTMLProgressElement;
    if (contents.at === null) {
      progress.max = contents.chunks.length;
      await arrived(document, (count) => (progress.value = count));
    }
    const fetch = contents.at === null ? fromPage(document) : fromFolder(contents.at);
    await show(place, contents, new PagePool(contents.chunks, fetch));
  } catch (error) {
    const said = document.createElement("p");
    said.setAttribute("role", "alert");
    said.textContent = asError(error).message;
    place.replaceChildren(said);
  }
}

async function show(place: HTMLElement, contents: Contents, pool: PagePool): Promise<void> {
  await pool.open(contents.index);
  const decisions = await decisionsOf(pool);
  const source = () => new EmbeddedSource(pool, decisions);
  const host = createHost(contents.models, pool, source);
  const root = await host.getWidget("anywidget:0");
  const part = () => document.createElement("div");
  const [above, el, below] = [part(), part(), part()];
  place.replaceChildren(above, el, below);
  for (const frame of [above, below]) {
    frame.className = "slw slw-page";
    followTheme(frame);
  }
  if (decisions) {
    render(<MadeDecisions decisions={decisions} />, above);
    effect(() => {
      window.onbeforeunload = decisions.unsaved.value > 0 ? (event) => event.preventDefault() : null;
    });
  } else above.remove();
  render(<AboutPage about={contents.about} has={(method) => source().can(method)} />, below);
  await root.render({ el, signal: new AbortController().signal });
  tellHeight(place);
}

/** Decisions can be made about the audit that travels, if one does. */
async function decisionsOf(pool: PagePool): Promise<PageDecisions | undefined> {
  const audit = pool.questions.find(([method]) => method === "audit");
  if (!audit) return undefined;
  return new PageDecisions(((await pool.answer(...audit)).result as AuditSaid).target);
}

/** In a frame: have what lies around it give it the height it needs. */
function tellHeight(place: HTMLElement): void {
  if (window.parent === window) return;
  new ResizeObserver(() => {
    window.parent.postMessage({ slwHeight: Math.ceil(place.getBoundingClientRect().height) }, "*");
  }).observe(place);
}
