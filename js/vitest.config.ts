// Tests run in the Chromium of the system, or in the one that Playwright has installed.
// Without a browser the logic is tested in happy-dom, and what needs one is skipped, loudly.
import { existsSync } from "node:fs";
import { playwright } from "@vitest/browser-playwright";
import { chromium } from "playwright";
import { defineConfig } from "vitest/config";

const candidates = [
  process.env.CHROMIUM_PATH,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  chromium.executablePath(),
];
const executablePath = candidates.find((path) => path && existsSync(path));
if (!executablePath) {
  console.warn(
    "\n*** No Chromium found: tests that need a browser are SKIPPED. Install one, or name it in " +
      "CHROMIUM_PATH. ***\n",
  );
}

// Software WebGL, so that the tests run without a graphics card.
const args = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"];

export default defineConfig({
  optimizeDeps: {
    include: ["preact", "preact/hooks", "preact/jsx-runtime", "preact/jsx-dev-runtime",
      "@preact/signals", "d3-sankey", "regl-scatterplot"],
  },
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    ...(executablePath
      ? {
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: { executablePath, args } }),
            instances: [{ browser: "chromium" as const }],
            viewport: { width: 1000, height: 800 },
          },
        }
      : { environment: "happy-dom" }),
  },
});
