// A gallery on a page of its own, from what widgets/_page.py recorded: no kernel, no network.
import { render, type GalleryTraits } from "../gallery/gallery";
import { EmbeddedSource, type Recorded } from "../source/embedded-source";
import { PageModel } from "../source/page-model";

interface Page {
  traits: GalleryTraits;
  recorded: Recorded[];
}

/** Show what the page holds, in the element that waits for it. */
export default function show(page: Document): void {
  const { traits, recorded } = JSON.parse(page.getElementById("slw-page")!.textContent!) as Page;
  const el = page.getElementById("slw-view")!;
  render({ model: new PageModel(traits), el, source: new EmbeddedSource(recorded) });
}

if (document.getElementById("slw-page")) show(document);
