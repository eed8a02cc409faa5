// Images on which the model says something else after a change, with the logits of one class.
import type { EffectsSaid } from "../source/messages";
import { PlainPicture } from "../neuron/plain-picture";
import type { Thumbnails } from "../source/thumbnails";

interface AnswersProps {
  said: EffectsSaid;
  pictures: Thumbnails;
  busy: boolean;
}

export function Answers({ said, pictures, busy }: AnswersProps) {
  const { answers, changed, images, of } = said;
  const shown = answers.filter(({ before, after }) => before !== after).length;
  return (
    <section class="slw-answers" aria-busy={busy}>
      <h3 class="slw-answers-title">
        {changed === 0 ? "No answer changes" : changed === 1 ? "1 answer changes"
          : `${changed.toLocaleString("en")} answers change`}
        <span class="slw-muted slw-small">
          {" "}of {images.toLocaleString("en")}
          {changed > shown && `, the first ${shown} here`}
          {` · below each: the logit of “${of}”`}
        </span>
      </h3>
      <ul class="slw-answers-list">
        {answers.map((one) => (
          <li key={one.sample} class="slw-answer">
            <PlainPicture
              pictures={pictures}
              sample={one.sample}
              alt={`Image ${one.sample}, ${one.class_name}`}
            />
            <span class="slw-ellipsis slw-small slw-muted" dir="auto" title={one.class_name}>
              {one.class_name}
            </span>
            <span class="slw-small">
              {one.before === one.after ? (
                <span class="slw-muted" dir="auto">still {one.after}</span>
              ) : (
                <>
                  <span class="slw-answer-old" dir="auto">{one.before}</span>
                  <span class="slw-muted"> → </span>
                  <strong dir="auto">{one.after}</strong>
                </>
              )}
            </span>
            <span class="slw-small slw-number slw-answer-logits">
              {one.logit_before.toFixed(2)} → {one.logit_after.toFixed(2)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
