// What a debtor does, by hand: from the message through the page to each of its ends. Every flow
// has a debtor of its own, whose invoice is told over HTTP and whose reminder is read in the
// outbox, as a newcomer would try it.

import { setTimeout as pause } from "node:timers/promises";

const PATIENCE_MS = 60_000;

/** Tells the shop's two facts about a new debtor; the address of the page in the reminder. */
async function debtor(address, name) {
  const subject = `lindenmoor/K-flow-${name}`;
  const told = (id, kind, data) => ({
    specversion: "1.0",
    id: `flow-${name}-${id}`,
    source: "/flows",
    type: `kulanz.${kind}.v1`,
    subject,
    time: "2026-11-18T17:00:00+01:00",
    data: { creditor: "lindenmoor", debtor: `K-flow-${name}`, ...data },
  });
  const events = [
    told(1, "debtor.updated", {
      kind: "consumer",
      name: "Flora Muster",
      language: "de",
      country: "DE",
      email: `flow-${name}@example.org`,
    }),
    told(2, "invoice.issued", {
      invoice: `R-flow-${name}`,
      issued_on: "2026-10-25",
      due_on: "2026-11-08",
      amount: "149.90",
      currency: "EUR",
      description: "Gartenbank",
    }),
  ];
  const answer = await fetch(`${address}/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/cloudevents-batch+json" },
    body: JSON.stringify(events),
  });
  if (answer.status !== 202) throw new Error(`events were answered ${answer.status}`);
  const { receipts } = await answer.json();
  if (receipts.some((receipt) => receipt.status !== "accepted")) {
    throw new Error(`not accepted: ${JSON.stringify(receipts)}`);
  }
  const until = Date.now() + PATIENCE_MS;
  while (Date.now() < until) {
    const [message] = await messages(address, subject);
    const page = message && (await (await fetch(`${address}${message}`)).text());
    const link = page?.match(/http:\/\/[^\s"<]+\/p\/[\w-]{22}/);
    if (link) return link[0];
    await pause(200);
  }
  throw new Error("no reminder came");
}

/** Paths of the messages to an account, the newest first. */
async function messages(address, subject) {
  const list = await (await fetch(`${address}/outbox`)).text();
  const items = list.split("<li>").filter((item) => item.includes(`${subject} ·`));
  return items.map((item) => item.match(/href="(\/outbox\/[^"]+)"/)[1]);
}

const text = (page, selector) => page.locator(selector).first().innerText();

/** Fails with what the page says instead. */
async function says(page, pattern) {
  const seen = await text(page, "main");
  if (!pattern.test(seen)) throw new Error(`expected ${pattern}, the page says: ${seen}`);
}

const FLOWS = {
  async card(page, link) {
    await page.goto(link);
    await page.getByRole("button", { name: /mit Karte zahlen/ }).click();
    await page.locator("button#pay").click(); // on the provider's page
    await page.goto(link);
    await says(page, /bezahlt/i);
  },
  async failed_card(page, link) {
    await page.goto(link);
    await page.getByRole("button", { name: /mit Karte zahlen/ }).click();
    await page.locator("button#fail").click();
    await page.goto(link);
    await says(page, /149,90/);
  },
  async paid(page, link) {
    await page.goto(link);
    await page.locator("#exit-paid a, a#exit-paid, a[href$='/paid']").first().click();
    await page.fill("#on", "2026-11-17");
    await page.locator("form[method=post] button").click();
    await page.locator("#done").waitFor();
  },
  async disagree(page, link) {
    await page.goto(link);
    await page.locator("a[href$='/disagree']").first().click();
    await page.fill("#reason", "Die Bank kam mit einem Sprung im Holz. <b>Bitte</b> tauschen.");
    await page.locator("form[method=post] button").click();
    await page.locator("#done").waitFor();
  },
  async later(page, link) {
    await page.goto(link);
    await page.locator("a[href$='/later']").first().click();
    await page.locator("form[method=post] button").click(); // without a day: told what is missing
    await page.locator("#errors").waitFor();
    if (!/^Fehler: /.test(await page.title())) throw new Error("the title does not say Fehler");
    await page.fill("#until", "2026-12-01");
    await page.locator("form[method=post] button").click();
    await page.locator("#done").waitFor();
    await page.goto(link);
    await says(page, /1\. Dezember 2026/);
  },
  async plan(page, link) {
    await page.goto(link);
    await page.locator("a[href$='/plan']").first().click();
    await says(page, /149,90|Rate/);
    await page.locator("form[method=post] button").first().click();
    await page.locator("#done").waitFor();
  },
  async help(page, link) {
    await page.goto(link);
    await page.locator("a[href$='/help']").first().click();
    await page.locator("form[method=post] button").click();
    await page.locator("#done").waitFor();
    await page.goto(link);
    await page.locator("#counselling").waitFor();
  },
};

/**
 * Plays every flow; what came of each.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {string} address where the demo serves
 * @returns {Promise<{passed: number, failed: number}>}
 */
export async function playFlows(browser, address) {
  let passed = 0;
  let failed = 0;
  for (const [name, play] of Object.entries(FLOWS)) {
    const context = await browser.newContext({ viewport: { width: 320, height: 640 } });
    try {
      const link = await debtor(address, name);
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      await play(page, link);
      const sent = await messages(address, `lindenmoor/K-flow-${name}`);
      if (sent.length !== 1) throw new Error(`${sent.length} messages instead of one`);
      console.log(`flow ${name} ... ok`);
      passed += 1;
    } catch (error) {
      console.log(`flow ${name} ... FAILED: ${error.message}`);
      failed += 1;
    } finally {
      await context.close();
    }
  }
  return { passed, failed };
}
