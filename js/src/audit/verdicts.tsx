// What an audit says of neurons, as people see it: each verdict has a colour, a shape and a word.
import type { VerdictShare } from "../source/messages";

export const VERDICTS = ["spurious", "both", "unexpected", "valid", "weak"] as const;
export type Verdict = (typeof VERDICTS)[number];

export const HELP: Record<Verdict, string> = {
  valid: "Fits what the class should rest on, better than chance and than the other side",
  spurious: "Fits what the class should not rest on, better than chance and than the other side",
  both: "Fits both sides alike",
  unexpected: "Fits neither side, and carries at least as much as a neuron does on average",
  weak: "Fits neither side, and carries little",
};

/** How large each shape is drawn, so that all look as large as the circle. */
const SCALE: Record<Verdict, number> = { valid: 1, spurious: 1.3, both: 1.25, unexpected: 0.89, weak: 0.8 };

/** The outline of a verdict's shape around a place, as wide as a circle of this radius. */
export function shape(verdict: Verdict, x: number, y: number, radius: number): string {
  const r = +(radius * SCALE[verdict]).toFixed(2);
  const at = `M${x.toFixed(1)} ${y.toFixed(1)}`;
  switch (verdict) {
    case "spurious":
      return `${at}m0 ${-r}l${r} ${1.7 * r}h${-2 * r}z`;
    case "both":
      return `${at}m0 ${-r}l${r} ${r}l${-r} ${r}l${-r} ${-r}z`;
    case "unexpected":
      return `${at}m${-r} ${-r}h${2 * r}v${2 * r}h${-2 * r}z`;
    default:
      return `${at}m${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
  }
}

export const className = (verdict: string): string => `slw-verdict slw-verdict-${verdict}`;

export function Mark({ verdict }: { verdict: string }) {
  return (
    <svg class={className(verdict)} viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">
      <path d={shape(verdict as Verdict, 7, 7, 4.6)} />
    </svg>
  );
}

export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
/** A single image has no interval. */
export const between = (low: number | null, high: number | null): string =>
  low === null || high === null ? "one image"
    : `${(low * 100).toFixed(1)} to ${(high * 100).toFixed(1)} %`;

/** What of the class's relevance lies on each verdict in a layer. */
export function Sums({ layer, verdicts }: { layer: string; verdicts: VerdictShare[] }) {
  const place = (name: string) => VERDICTS.indexOf(name as Verdict);
  const sorted = [...verdicts].sort((a, b) => place(a.verdict) - place(b.verdict));
  return (
    <figure class="slw-sums">
      <div class="slw-sums-bar" aria-hidden="true">
        {sorted.map(({ verdict, share }) => (
          <i key={verdict} class={className(verdict)} style={{ width: `${share * 100}%` }} />
        ))}
      </div>
      <ul aria-label={`Share of the class's relevance in ${layer}, by verdict`}>
        {sorted.map(({ verdict, share, low, high, neurons }) => (
          <li key={verdict} title={HELP[verdict as Verdict]}>
            <Mark verdict={verdict} />
            <span>{verdict}</span>
            <b class="slw-number">{percent(share)}</b>
            <span class="slw-small slw-muted" title="95 % of resampled images">
              {between(low, high)}
            </span>
            <span class="slw-small slw-muted">
              {neurons.toLocaleString("en")} {neurons === 1 ? "neuron" : "neurons"}
            </span>
          </li>
        ))}
      </ul>
    </figure>
  );
}
