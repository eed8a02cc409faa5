// From step to step: neurons glide, or jump where motion is to be reduced; playing goes on by itself.
import { effect, signal, untracked, type ReadonlySignal } from "@preact/signals";
import type { Cleanup } from "../source/model";

/** How long a change of step takes, and how long a step stays while playing; in milliseconds. */
export const GLIDE = 700;
export const REST = 800;

export interface Player {
  /** Where the neurons are, in steps; between two while they glide. */
  position: ReadonlySignal<number>;
  playing: ReadonlySignal<boolean>;
  /** Go to a step and stay there. */
  go(step: number): void;
  /** Play to the last step, from the first where that is shown; or pause. */
  toggle(): void;
  stop: Cleanup;
}

interface Playing {
  step: ReadonlySignal<number>;
  count: ReadonlySignal<number>;
  write(step: number): void;
}

const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const eased = (t: number): number => t * t * (3 - 2 * t);

export function createPlayer({ step, count, write }: Playing): Player {
  const position = signal(step.peek());
  const playing = signal(false);
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function glide(to: number): void {
    cancelAnimationFrame(frame);
    const from = position.peek();
    if (from === to) return;
    if (isStill()) {
      position.value = to;
      return;
    }
    let start: number | undefined;
    const move = (now: number) => {
      start ??= now;
      const t = Math.min(1, (now - start) / GLIDE);
      position.value = t < 1 ? from + (to - from) * eased(t) : to;
      if (t < 1) frame = requestAnimationFrame(move);
    };
    frame = requestAnimationFrame(move);
  }

  function pause(): void {
    clearTimeout(timer);
    playing.value = false;
  }

  function next(): void {
    const at = step.peek() + 1;
    if (at >= count.peek()) return pause();
    write(at);
    timer = setTimeout(next, GLIDE + REST);
  }

  function play(): void {
    playing.value = true;
    if (step.peek() + 1 < count.peek()) return next();
    write(0);
    timer = setTimeout(next, GLIDE + REST);
  }

  const stopFollowing = effect(() => {
    const to = step.value;
    untracked(() => glide(to));
  });
  return {
    position,
    playing,
    go: (to) => {
      pause();
      write(to);
    },
    toggle: () => (playing.peek() ? pause() : play()),
    stop: () => {
      pause();
      cancelAnimationFrame(frame);
      stopFollowing();
    },
  };
}
