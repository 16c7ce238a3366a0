// Opens pages in Debian's Chromium as a phone and as a screen, light and dark, and says what a
// reader would stumble over. Ends with `pages: N passed, N failed`.
//
//   node run.mjs --kulanz BINARY [--screenshots DIR]     starts the demo and looks at its links
//   node run.mjs --address URL [--screenshots DIR] PATH… looks at a server that runs already
//
// A page is opened twice: as it is served, with its content security policy in force, to see
// faults, sideways scrolling and its looks; then with axe in it, which the policy would not allow.

import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { startDemo } from "./demo.mjs";
import { playFlows } from "./flows.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const WIDTHS = { 320: 640, 1280: 900 };
const SCHEMES = ["light", "dark"];
const BROWSERS = ["chromium", "chromium-browser", "google-chrome"].map((name) => `/usr/bin/${name}`);

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kulanz: { type: "string" },
    address: { type: "string" },
    screenshots: { type: "string", default: "target/screenshots" },
  },
});

/** What is wrong with `url` as it is served, in sentences; takes a picture of it. */
async function look(browser, url, looks, picture) {
  const faults = [];
  const context = await browser.newContext(looks);
  try {
    const page = await context.newPage();
    page.on("console", (message) => {
      // A page needs no icon in the browser's tab.
      const icon = message.location().url.endsWith("/favicon.ico");
      if (["error", "warning"].includes(message.type()) && !icon) {
        faults.push(`console: ${message.text()}`);
      }
    });
    page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
    page.on("request", (request) => {
      const elsewhere = new URL(request.url()).origin !== new URL(url).origin;
      if (elsewhere && !request.url().startsWith("data:")) {
        faults.push(`asks another site: ${request.url()}`);
      }
    });
    page.on("requestfailed", (request) => faults.push(`does not load: ${request.url()}`));
    const answer = await page.goto(url, { waitUntil: "load" });
    if (answer.status() !== 200) faults.push(`answers ${answer.status()}`);
    const seen = await page.evaluate(() => ({
      width: document.documentElement.clientWidth,
      content: document.documentElement.scrollWidth,
      scripts: document.scripts.length,
      title: document.title.trim(),
    }));
    if (seen.content > seen.width) {
      faults.push(`scrolls sideways: ${seen.content} px of content on ${seen.width} px`);
    }
    if (seen.scripts > 0) faults.push("has a script");
    if (!seen.title) faults.push("has no title");
    await page.screenshot({ path: picture, fullPage: true });
  } finally {
    await context.close();
  }
  return faults;
}

/** What axe finds wrong with `url` by WCAG 2.2 A and AA. */
async function axe(browser, url, looks) {
  const context = await browser.newContext({ ...looks, bypassCSP: true });
  try {
    const page = await context.newPage();
    await page.goto(url, { waitUntil: "load" });
    await page.addScriptTag({ path: AXE });
    const { violations } = await page.evaluate(
      (rules) => window.axe.run(document, { runOnly: rules }),
      RULES,
    );
    return violations.map((one) => {
      const where = one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ");
      return `axe ${one.id} (${one.impact}): ${one.help}, at ${where}`;
    });
  } finally {
    await context.close();
  }
}

/** Looks at each page in each form and plays the flows; how many are right and how many not. */
async function run(pages, flowsAt) {
  await mkdir(options.screenshots, { recursive: true });
  const browser = await chromium.launch({
    executablePath: process.env.KULANZ_CHROMIUM ?? BROWSERS.find((path) => existsSync(path)),
    args: ["--disable-dev-shm-usage"],
  });
  const count = { passed: 0, failed: 0 };
  try {
    for (const { state, url } of pages) {
      for (const [width, height] of Object.entries(WIDTHS)) {
        for (const colorScheme of SCHEMES) {
          const looks = { viewport: { width: Number(width), height }, colorScheme };
          const name = `${state.replace(/[^A-Za-z0-9_-]+/g, "-")}-${width}-${colorScheme}`;
          const faults = [];
          try {
            faults.push(...(await look(browser, url, looks, `${options.screenshots}/${name}.png`)));
            faults.push(...(await axe(browser, url, looks)));
          } catch (error) {
            faults.push(error.message);
          }
          count[faults.length === 0 ? "passed" : "failed"] += 1;
          console.log(`page ${name} ... ${faults.length === 0 ? "ok" : "FAILED"}`);
          for (const fault of faults) console.log(`  ${fault}`);
        }
      }
    }
    if (flowsAt) {
      const flows = await playFlows(browser, flowsAt);
      count.passed += flows.passed;
      count.failed += flows.failed;
    }
  } finally {
    await browser.close();
  }
  return count;
}

/** Pages by name: the demo's links, or the paths given. */
async function pagesToSee() {
  if (options.address) {
    const paths = positionals.length > 0 ? positionals : ["/"];
    const pages = paths.map((path) => ({ state: path, url: new URL(path, options.address).href }));
    return { pages, stop: async () => {} };
  }
  if (!options.kulanz) throw new Error("say --kulanz BINARY or --address URL");
  const demo = await startDemo(options.kulanz);
  const pages = demo.links.map(({ state, url }) => ({
    state,
    url: new URL(url, demo.address).href,
  }));
  return { pages, flowsAt: demo.address, stop: demo.stop };
}

const { pages, flowsAt, stop } = await pagesToSee();
let count;
try {
  count = await run(pages, flowsAt);
} finally {
  await stop();
}
if (pages.length === 0) {
  console.log("no page to look at");
  count.failed += 1;
}
console.log(`pages: ${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed > 0 ? 1 : 0;
