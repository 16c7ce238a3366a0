// Starts `kulanz demo` on a free port and in a folder of its own, and waits until it is ready.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const PATIENCE_MS = 10 * 60 * 1000;

/**
 * The demo once it serves.
 *
 * @param {string} binary path of `kulanz`
 * @returns {Promise<{address: string, links: {state: string, url: string}[],
 *   stop: () => Promise<void>}>} where it listens, the pages worth a look, how to end it
 */
export async function startDemo(binary) {
  const folder = await mkdtemp(join(tmpdir(), "kulanz-pages-"));
  const ready = join(folder, "ready.json");
  const args = ["--data", folder, "demo", "--port", "0", "--json", "--ready", ready];
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", "inherit"] });
  const ended = new Promise((resolve) => {
    child.once("error", resolve);
    child.once("exit", (code, signal) => resolve(new Error(`it ended with ${code ?? signal}`)));
  });
  const stop = async () => {
    child.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  let gone;
  ended.then((why) => (gone = why));
  const until = Date.now() + PATIENCE_MS;
  while (gone === undefined && Date.now() < until) {
    const said = await readyFile(ready);
    if (said) return { ...said, stop };
    await pause(100);
  }
  await stop();
  throw new Error(`the demo is not ready: ${gone?.message ?? "it takes too long"}`);
}

/** What the file says; undefined while it is not there, or not whole yet. */
async function readyFile(path) {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
