// What stands around a view in a page of its own: what the page holds, and the decisions made in it.
import { count } from "../shared/format";
import type { PageDecisions } from "../source/page-decisions";

export interface About {
  /** The analysis, or what of it. */
  what: string;
  made: string;
  version: string;
  neurons: number;
  travelling: number;
  examples: number;
  pictures: number;
  /** Pictures that are smaller than in the notebook. */
  smaller: number;
  /** Of relevance in heatmaps. */
  levels: number;
  /** Why heatmaps are missing, and how many. */
  refused: [why: string, count: number][];
  /** Why nothing can be scored and searched, if something else could have been. */
  unscored: string;
}

const inEnglish = (value: number) => value.toLocaleString("en");

export function AboutPage({ about, has }: { about: About; has: (method: string) => boolean }) {
  const { what, made, version, neurons, travelling, examples, pictures, smaller, levels, refused, unscored } = about;
  const some = travelling === neurons ? `all ${count(neurons, "neuron")}`
    : `${inEnglish(travelling)} of ${count(neurons, "neuron")}`;
  return (
    <details class="slw-page-about slw-small">
      <summary>
        A page without a kernel, made {made}: {some}, {count(examples, "example")} of each at most
      </summary>
      <ul>
        <li><bdi>{what}</bdi>, by semlens_widgets {version}.</li>
        {travelling < neurons && (
          <li>
            The other {inEnglish(neurons - travelling)} neurons are points and names here; their images
            and what is measured on these are in the notebook.
          </li>
        )}
        {pictures > 0 && (
          <li>
            {count(pictures, "picture")}
            {smaller > 0 && ", smaller than in the notebook"}
            {has("heatmaps") && `, and heatmaps of ${levels} levels`}. Whole images are in the notebook.
          </li>
        )}
        {refused.map(([why, times]) => <li key={why}>{count(times, "heatmap")} missing: <bdi>{why}</bdi></li>)}
        {has("search") ? (
          <li>
            Searches and scores of labels are computed here, for these neurons and for the words that
            travel; CLIP-Dissect and other settings of the recognition need the notebook.
          </li>
        ) : (
          unscored !== "" && <li>Searches and scores of labels need the notebook: <bdi>{unscored}</bdi></li>
        )}
        <li>
          What changes the analysis or runs its model needs the notebook: labels, audits, interventions
          and traces are shown as they were when the page was made.
        </li>
      </ul>
    </details>
  );
}

export function MadeDecisions({ decisions }: { decisions: PageDecisions }) {
  const unsaved = decisions.unsaved.value;
  const save = () => {
    const url = URL.createObjectURL(new Blob([decisions.file()], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = "decisions.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  return (
    <div class="slw-page-decisions" role="group" aria-label="Decisions made in this page">
      <button type="button" class="slw-button" onClick={save}>Save decisions</button>
      <span class="slw-small slw-muted" role="status">
        {unsaved > 0
          ? `${count(unsaved, "decision")} made here: save before you leave. The notebook reads the ` +
            "file by audit.import_decisions(…)."
          : "What you decide in this page stays in it until you save it."}
      </span>
    </div>
  );
}
