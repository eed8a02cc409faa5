// Bundles every src/entries/<name>.ts(x) into ../semlens_widgets/static/<name>.js and <name>.css.
// Each bundle is one self-contained ES module, because that is what anywidget saves and loads.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const entries = readdirSync(here("src/entries"))
  .filter((file) => /\.tsx?$/.test(file))
  .map((file) => here(`src/entries/${file}`));

export const options = {
  entryPoints: entries,
  outdir: here("../semlens_widgets/static"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none",
  charset: "utf8",
  // The checked build of regl explains mistakes in its use, at twice the size.
  alias: { regl: "regl/dist/regl.min.js" },
  logLevel: "info",
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes("--watch")) await (await esbuild.context(options)).watch();
  else await esbuild.build(options);
}
