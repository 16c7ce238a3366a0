// Opens pages in Debian's Chromium as a phone and as a screen, light and dark, and says what a
// reader would stumble over. Ends with `pages: N passed, N failed`.
//
//   node run.mjs --kulanz BINARY [--screenshots DIR]     starts the demo and looks at its links,
//                                                        then at the preview of a policy
//   node run.mjs --address URL [--screenshots DIR] PATH… looks at a server that runs already
//
// A page is opened twice: as it is served, with its content security policy in force, to see
// faults, sideways scrolling and its looks; then with axe in it, which the policy would not allow.
// What is folded is looked at folded and then open, and a second picture shows it open.

import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs, promisify } from "node:util";
import { chromium } from "playwright-core";
import { startDemo } from "./demo.mjs";
import { playFlows } from "./flows.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
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
      scripts: document.scripts.length,
      title: document.title.trim(),
    }));
    if (seen.scripts > 0) faults.push("has a script");
    if (!seen.title) faults.push("has no title");
    faults.push(...(await sideways(page, "")));
    await page.screenshot({ path: `${picture}.png`, fullPage: true });
    if (await unfold(page, faults)) {
      faults.push(...(await sideways(page, "unfolded, ")));
      await page.screenshot({ path: `${picture}-open.png`, fullPage: true });
    }
  } finally {
    await context.close();
  }
  return faults;
}

/** Whether the page is wider than its window; `when` says in which form. */
async function sideways(page, when) {
  const [width, content] = await page.evaluate(() => [
    document.documentElement.clientWidth,
    document.documentElement.scrollWidth,
  ]);
  return content > width ? [`${when}scrolls sideways: ${content} px of content on ${width} px`] : [];
}

/** Folds opened so far, on all pages. */
let unfolded = 0;

/** Opens all that is folded, with the keyboard as a reader might; whether there is anything. */
async function unfold(page, faults) {
  const folds = page.locator("details");
  const count = await folds.count();
  for (let at = 0; at < count; at += 1) {
    const summary = folds.nth(at).locator("summary");
    await summary.focus();
    await page.keyboard.press("Enter");
    if (!(await folds.nth(at).evaluate((one) => one.open))) faults.push("does not unfold");
    const { height } = await summary.boundingBox();
    unfolded += 1;
    if (height < 44) faults.push(`unfolds at a target of ${height} px`);
  }
  return count > 0;
}

/** What axe finds wrong with `url` by WCAG 2.2 A and AA. */
async function axe(browser, url, looks) {
  const context = await browser.newContext({ ...looks, bypassCSP: true });
  try {
    const page = await context.newPage();
    await page.goto(url, { waitUntil: "load" });
    await page.addScriptTag({ path: AXE });
    const faults = await axed(page);
    if (await unfold(page, faults)) faults.push(...(await axed(page)));
    return faults;
  } finally {
    await context.close();
  }
}

/**
 * What axe finds wrong with a page that it is in already. Of frames only what is around them: those
 * of a preview may not run anything, axe neither.
 */
async function axed(page) {
  const { violations } = await page.evaluate(
    (rules) => window.axe.run(document, { runOnly: rules, iframes: false }),
    RULES,
  );
  return violations.map((one) => {
    const where = one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ");
    return `axe ${one.id} (${one.impact}): ${one.help}, at ${where}`;
  });
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
            faults.push(...(await look(browser, url, looks, `${options.screenshots}/${name}`)));
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
      if (unfolded === 0) {
        console.log("page of the demo with a statement to unfold ... MISSING");
        count.failed += 1;
      }
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
  const folder = await mkdtemp(join(tmpdir(), "kulanz-preview-"));
  const stop = async () => {
    await demo.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    pages.push(await preview(options.kulanz, folder));
  } catch (error) {
    await stop();
    throw error;
  }
  return { pages, flowsAt: demo.address, stop };
}

/** What the finance team sees of the messages of a policy, as a page below `folder`. */
async function preview(binary, folder) {
  const file = join(folder, "messages.html");
  const asked = ["--config", ROOT, "policy", "preview", "shop-b2c", "--html", file];
  await promisify(execFile)(binary, asked);
  return { state: "policy preview", url: pathToFileURL(file).href };
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
