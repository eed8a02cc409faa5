// @ts-check
// The page of a study. What it keeps, it keeps in this browser; what it knows, `#study` holds:
// tasks are lists of pictures by number. Which one is the odd one it does not know.
"use strict";
(() => {
  /** @typedef {[choice: number, seconds: number] | null} Answer - choices count from 1 */
  /** @typedef {{order: number[], answers: Answer[]}} Progress */
  /** @typedef {{study: string, choices: number, tasks: number[][], pictures: string[]}} Study */

  const LONGEST = 60; // characters of a name, as in the field
  /** @param {string} id @returns {any} */
  const at = (id) => document.getElementById(id);
  /** @type {Study} */
  const study = JSON.parse(at("study").textContent);
  const count = study.tasks.length;
  const nowKey = `semlens-study:${study.study}:now`;
  /** @param {string} rater */
  const keyOf = (rater) => `semlens-study:${study.study}:of:${rater}`;

  let rater = "";
  /** @type {Progress} */
  let progress = { order: [], answers: [] };
  let position = 0; // in the order; `count`: all is answered
  let since = 0; // when the task was shown, in milliseconds
  let kept = true; // whether the browser keeps anything
  let saved = true; // whether the answers are in a file or in the browser

  // -- what the browser keeps ----------------------------------------------------------------

  /** @param {string} key @returns {unknown} */
  function read(key) {
    try {
      return JSON.parse(localStorage.getItem(key) ?? "null");
    } catch {
      return null; // not allowed, or not ours
    }
  }

  /** @param {string} key @param {unknown} value */
  function write(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      kept = false;
    }
  }

  /** What is kept may be anything: it is ours if it could be. @param {any} value @returns {Progress | null} */
  function checked(value) {
    const whole = [value?.order, value?.answers].every((one) => Array.isArray(one) && one.length === count);
    if (!whole || new Set(value.order).size !== count) return null;
    /** @param {any} one @param {number} below */
    const below = (one, below) => Number.isInteger(one) && one >= 0 && one < below;
    if (!value.order.every((/** @type {any} */ one) => below(one, count))) return null;
    const known = value.answers.every(
      (/** @type {any} */ one) =>
        one === null || (Array.isArray(one) && below(one[0] - 1, study.choices) && Number.isFinite(one[1])),
    );
    return known ? { order: value.order, answers: value.answers } : null;
  }

  /** Each rater sees the tasks in an order of their own. @returns {number[]} */
  function shuffled() {
    const order = Array.from({ length: count }, (_, one) => one);
    const lots = crypto.getRandomValues(new Uint32Array(count));
    for (let last = count - 1; last > 0; last--) {
      const other = /** @type {number} */ (lots[last]) % (last + 1);
      const one = /** @type {number} */ (order[last]);
      order[last] = /** @type {number} */ (order[other]);
      order[other] = one;
    }
    return order;
  }

  // -- what is shown -------------------------------------------------------------------------

  /** @param {"begin" | "task" | "end"} name */
  function show(name) {
    for (const one of ["begin", "task", "end"]) at(one).hidden = one !== name;
    at("unkept").hidden = kept || name === "begin";
    at("who").hidden = at("progress").hidden = name === "begin";
    at("name").textContent = rater;
    const done = progress.answers.filter(Boolean).length;
    at("done").max = count;
    at("done").value = done;
    at("said").textContent = `${done} of ${count} answered`;
    at(`${name}-title`).focus();
    scrollTo(0, 0);
  }

  function showTask() {
    if (position >= count) return showEnd();
    const task = /** @type {number} */ (progress.order[position]);
    const before = progress.answers[task];
    const tiles = at("tiles");
    tiles.replaceChildren();
    for (const [place, picture] of /** @type {number[]} */ (study.tasks[task]).entries()) {
      const tile = document.createElement("button");
      tile.type = "button";
      tile.className = "tile";
      const image = new Image();
      image.src = `data:image/jpeg;base64,${study.pictures[picture]}`;
      image.alt = "";
      const key = document.createElement("span");
      key.textContent = String(place + 1);
      tile.append(image, key);
      tile.setAttribute("aria-label", `Picture ${place + 1}`);
      if (before) tile.setAttribute("aria-pressed", String(before[0] === place + 1));
      tile.addEventListener("click", () => answer(place + 1));
      tiles.append(tile);
    }
    at("task-title").textContent = `Task ${position + 1} of ${count}`;
    at("back").disabled = position === 0;
    at("next").hidden = !before;
    since = performance.now();
    show("task");
  }

  function showEnd() {
    const open = progress.answers.filter((one) => !one).length;
    at("end-title").textContent = open ? "Not all tasks are answered" : "All tasks are answered";
    at("open").hidden = !open;
    at("open").textContent = open === 1 ? "Go to the open task" : `Go to the ${open} open tasks`;
    show("end");
  }

  function goOn() {
    const open = progress.order.findIndex((task) => !progress.answers[task]);
    position = open < 0 ? count : open;
    showTask();
  }

  // -- what the rater does -------------------------------------------------------------------

  /** @param {string} name */
  function begin(name) {
    rater = name;
    progress = checked(read(keyOf(rater))) ?? { order: shuffled(), answers: Array(count).fill(null) };
    saved = true;
    write(keyOf(rater), progress);
    write(nowKey, rater);
    goOn();
  }

  /** @param {number} choice */
  function answer(choice) {
    const task = /** @type {number} */ (progress.order[position]);
    // Another window may have gone on meanwhile.
    progress = checked(read(keyOf(rater))) ?? progress;
    progress.answers[task] = [choice, Math.round((performance.now() - since) / 100) / 10];
    write(keyOf(rater), progress);
    saved = kept;
    position += 1;
    showTask();
  }

  function back() {
    if (position > 0) position -= 1;
    showTask();
  }

  function leave() {
    if (!saved && !confirm("Your answers are not saved. Go on without them?")) return;
    write(nowKey, "");
    rater = "";
    at("rater").value = "";
    show("begin");
    at("rater").focus();
  }

  /** A field of a CSV file; what a spreadsheet would work out stands behind an apostrophe. @param {unknown} value */
  function field(value) {
    const text = /^'*[=+\-@\t\r]/.test(String(value)) ? `'${value}` : String(value);
    return /[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function download() {
    const lines = [["study", "rater", "task", "choice", "seconds", "position"]];
    for (const [place, task] of progress.order.entries()) {
      const given = progress.answers[task];
      if (given) lines.push([study.study, rater, task + 1, given[0], given[1], place + 1].map(field));
    }
    const text = lines.map((line) => `${line.join(",")}\r\n`).join("");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    const plain = rater.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "answers";
    link.download = `study-${study.study}-${plain}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    saved = true;
  }

  at("enter").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    const name = at("rater").value.trim().replace(/\s+/g, " ").slice(0, LONGEST);
    if (name) begin(name);
    else at("rater").focus();
  });
  at("back").addEventListener("click", back);
  at("next").addEventListener("click", () => {
    position += 1;
    showTask();
  });
  at("review").addEventListener("click", back);
  at("open").addEventListener("click", goOn);
  at("leave").addEventListener("click", leave);
  for (const one of document.querySelectorAll(".download")) one.addEventListener("click", download);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || at("begin").hidden === false) return;
    if (event.key === "ArrowLeft" || event.key === "Backspace") back();
    else if (event.key === "ArrowRight" && !at("task").hidden && !at("next").hidden) at("next").click();
    else if (!at("task").hidden && /^[1-9]$/.test(event.key) && Number(event.key) <= study.choices) {
      answer(Number(event.key));
    } else return;
    event.preventDefault();
  });
  addEventListener("beforeunload", (event) => {
    if (!saved) event.preventDefault();
  });

  const last = read(nowKey);
  if (typeof last === "string" && last && checked(read(keyOf(last)))) begin(last);
  else show("begin");
})();
