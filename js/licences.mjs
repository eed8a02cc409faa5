// Writes ../THIRD_PARTY_LICENSES.txt: the licence of everything foreign that the package ships.
// What the bundles hold is asked of the bundler, so nothing is forgotten and nothing is listed that
// is only a tool. With --check nothing is written: an outdated file ends with an error.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { options } from "./build.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const file = here("../THIRD_PARTY_LICENSES.txt");
const mit = readFileSync(here("node_modules/preact/LICENSE"), "utf8").split(/Copyright.*\n/)[1].trim();

const built = await esbuild.build({ ...options, write: false, metafile: true, logLevel: "error" });
const folders = new Set();
for (const { inputs } of Object.values(built.metafile.outputs))
  for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
    const [folder] = /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path) ?? [];
    if (folder && bytesInOutput) folders.add(folder);
  }

const parts = [...folders].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const text = readdirSync(folder).find((found) => /^licen[sc]e(\.|$)/i.test(found));
  if (!text) throw new Error(`${name} has no licence file: ask its authors, or do without it.`);
  return `${name} ${version} (${license}), in the widgets' scripts\n\n${readFileSync(`${folder}/${text}`, "utf8").trim()}`;
});
parts.push(
  "The byte-pair merges of CLIP (MIT), some of them, in semlens_widgets/demo/weights/**/bpe.txt.gz\n\n" +
    `MIT License\n\nCopyright (c) 2021 OpenAI\n\n${mit}`,
);
const rule = `\n\n${"-".repeat(80)}\n\n`;
const text = ["What semlens-widgets ships of others, and under which licences.", ...parts].join(rule);

if (process.argv.includes("--check")) {
  if (readFileSync(file, "utf8") !== `${text}\n`)
    throw new Error("THIRD_PARTY_LICENSES.txt is not of these packages: npm run licences");
} else writeFileSync(file, `${text}\n`);
