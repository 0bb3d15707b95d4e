// The test function of this directory: with demos to test on, and an eye on what the browser complains about.

import { test as base, type Page } from "@playwright/test";
import { Demo } from "./demo.js";

export { expect } from "@playwright/test";

type ForEachTest = {
  /// A demo that nobody else has touched.
  demo: Demo;
  /// What the browser complained about; anything left in it at the end fails the test.
  complaints: string[];
};

type ForEachWorker = {
  /// A demo to look at; whoever changes something takes `demo`.
  shared: Demo;
};

export const test = base.extend<ForEachTest, ForEachWorker>({
  shared: [
    async ({}, use) => {
      const demo = await Demo.start();
      await use(demo);
      await demo.stop();
    },
    { scope: "worker", timeout: 180_000 },
  ],

  demo: [
    async ({ page }, use, info) => {
      const demo = await Demo.start();
      await use(demo);
      // A page that is still open would complain about the server that is stopped under it.
      if (!page.isClosed()) await page.goto("about:blank");
      if (info.status !== info.expectedStatus) await info.attach("server.log", { body: demo.log(), contentType: "text/plain" });
      await demo.stop();
    },
    { timeout: 180_000 },
  ],

  complaints: [
    async ({ page }, use) => {
      const complaints: string[] = [];
      listen(page, complaints);
      await use(complaints);
      if (complaints.length > 0) throw new Error(`the browser complained:\n${complaints.join("\n")}`);
    },
    { auto: true },
  ],
});

/// Errors, warnings and exceptions: a mismatch in hydration and a breach of the content security policy are among them.
function listen(page: Page, complaints: string[]): void {
  page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    // Chromium's own remark about a preload that is used a little later.
    if (message.text().includes("was preloaded using link preload but not used")) return;
    complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
  });
}
