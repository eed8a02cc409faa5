// The widgets of a page: their models, and how one shows another inside it.
import type { Host } from "../source/host";
import type { Cleanup } from "../source/model";
import { PageModel } from "../source/page-model";
import type { PagePool, Place } from "../source/page-pool";
import type { Source } from "../source/source";

/** A widget as widgets/_page writes it; references to others are numbers in the list of all. */
export interface WidgetOfPage {
  name: string;
  traits: Record<string, unknown>;
  /** Where in the traits bytes belong. */
  buffers: [path: string[], place: Place][];
  code: Place;
  style: Place;
}

interface Code {
  default: { render(context: object): Cleanup | void | Promise<Cleanup | void> };
}

/** Run a widget's code, which is a module. */
export type Load = (code: string) => Promise<unknown>;

export function createHost(
  widgets: readonly WidgetOfPage[],
  pool: PagePool,
  source: () => Source,
  load: Load = fromText,
): Host {
  const models = new Map<number, Promise<PageModel<any>>>();
  const modules = new Map<string, Promise<Code>>();
  const numberOf = (reference: string): number => {
    const number = Number(reference.replace(/^anywidget:/, ""));
    if (!widgets[number]) throw new Error(`This page has no widget ${reference}.`);
    return number;
  };
  const modelOf = (number: number): Promise<PageModel<any>> => {
    const known = models.get(number) ?? readModel(widgets[number]!, pool);
    models.set(number, known);
    return known;
  };
  const codeOf = (place: Place): Promise<Code> => {
    const known = modules.get(place.join()) ?? pool.text(place).then(load) as Promise<Code>;
    modules.set(place.join(), known);
    return known;
  };
  const host: Host = {
    getModel: async (reference) => modelOf(numberOf(reference)),
    getWidget: async (reference) => {
      const widget = widgets[numberOf(reference)]!;
      const [model, code, style] = await Promise.all([
        modelOf(numberOf(reference)), codeOf(widget.code), pool.text(widget.style),
      ]);
      dress(widget.name, style);
      return {
        async render({ el, signal }) {
          if (signal.aborted) return;
          const end = await code.default.render({ model, el, host, source: source() });
          if (typeof end !== "function") return;
          if (signal.aborted) end();
          else signal.addEventListener("abort", end, { once: true });
        },
      };
    },
  };
  return host;
}

async function readModel({ traits, buffers }: WidgetOfPage, pool: PagePool): Promise<PageModel<any>> {
  await Promise.all(buffers.map(async ([path, place]) => {
    let inside: any = traits;
    for (const name of path.slice(0, -1)) inside = inside[name];
    inside[path.at(-1)!] = await pool.read(place);
  }));
  return new PageModel(traits);
}

/** Add the style of a kind of widget, once. */
function dress(name: string, style: string): void {
  if (style === "" || document.head.querySelector(`style[data-widget="${CSS.escape(name)}"]`)) return;
  const sheet = document.createElement("style");
  sheet.dataset.widget = name;
  sheet.textContent = style;
  document.head.append(sheet);
}

async function fromText(code: string): Promise<unknown> {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}
