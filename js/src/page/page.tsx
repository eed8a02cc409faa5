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
import { scoringOf, type StoredScoring } from "./live";
import { createHost, type WidgetOfPage } from "./models";
import "../shared/theme.css";
import "./page.css";

/** As widgets/_page/document.py writes it. */
export interface Contents {
  about: About;
  models: WidgetOfPage[];
  index: [chunk: number, position: number];
  /** What the page scores and searches by itself, if it does. */
  scoring: StoredScoring | null;
  chunks: ChunkSizes[];
  /** Where the chunks are fetched from; null: they are in the page. */
  at: string | null;
}

const OLD =
  "This browser cannot open the page: it needs Chrome or Edge 103, Firefox 113, Safari 16.4, or newer.";
const NO_SERVER =
  "This page is loaded part by part and needs a web server. In its folder, run “python -m http.server”, " +
  "and open http://localhost:8000.";

const CUT =
  "This file is not whole: its end is missing. Copy or download it again, or have it written anew.";

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

/** Refuse a file that ends before its last chunk does: what is missing would show here and there only. */
function checkWhole(document: Document, chunks: readonly ChunkSizes[]): void {
  const scripts = held(document);
  const letters = 4 * Math.ceil((chunks.at(-1)?.[1] ?? 0) / 3);
  if (scripts.length < chunks.length || scripts[chunks.length - 1]?.textContent.length !== letters) {
    throw new Error(CUT);
  }
}

function fromPage(document: Document): Fetch {
  const scripts = [...held(document)];
  return async (chunk) => fromBase64(scripts[chunk]?.textContent ?? "");
}

// A page that was written anew has other parts by the same names: those kept from before are asked after.
const fromFolder = (at: string): Fetch => async (chunk) => {
  const answer = await fetch(`${at}${chunk}`, { cache: "no-cache" }).catch(() => null);
  if (!answer?.ok) throw new Error("A part of this page could not be loaded. Is its web server there?");
  return new Uint8Array(await answer.arrayBuffer());
};

/** Read what a page holds, and tell how much of it has come. */
export async function readPage(
  document: Document,
  told: (count: number, of: number) => void = () => {},
): Promise<{ contents: Contents; pool: PagePool }> {
  if (typeof DecompressionStream === "undefined") throw new Error(OLD);
  const contents = JSON.parse(document.getElementById("slw-contents")!.textContent!) as Contents;
  const { at, chunks, index } = contents;
  if (at !== null && location.protocol === "file:") throw new Error(NO_SERVER);
  if (at === null) {
    await arrived(document, (count) => told(count, chunks.length));
    checkWhole(document, chunks);
  }
  const pool = new PagePool(chunks, at === null ? fromPage(document) : fromFolder(at));
  await pool.open(index);
  return { contents, pool };
}

/** Show what a page holds in the element that waits for it. */
export async function openPage(document: Document): Promise<void> {
  const place = document.getElementById("slw-page")!;
  const progress = document.getElementById("slw-progress") as HTMLProgressElement;
  try {
    const { contents, pool } = await readPage(document, (count, of) => {
      progress.max = of;
      progress.value = count;
    });
    await show(place, contents, pool);
  } catch (error) {
    const said = document.createElement("p");
    said.setAttribute("role", "alert");
    said.textContent = asError(error).message;
    place.replaceChildren(said);
  }
}

async function show(place: HTMLElement, contents: Contents, pool: PagePool): Promise<void> {
  const decisions = await decisionsOf(pool);
  const live = contents.scoring ? scoringOf(contents.scoring, pool) : {};
  const source = () => new EmbeddedSource(pool, decisions, live);
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
