// Not a test: the pictures of the README and of whoever wants to look at every page.

import { join } from "node:path";
import { devices } from "@playwright/test";
import { test } from "./test.js";
import { alive, confirm } from "./views.js";

const folder = join("..", "docs", "screenshots");
const sizes = { desktop: { viewport: { width: 1280, height: 800 } }, phone: devices["Pixel 7"] };
const pages = {
  dashboard: "/",
  changes: "/changes/prod",
  history: "/history",
  health: "/health",
  service: "/services/jellyfin",
  insights: "/insights",
  settings: "/settings",
  about: "/settings/about",
};

test("every page in both themes and two sizes", async ({ browser, demo }) => {
  test.setTimeout(240_000);
  await demo.raise("jellyfin");
  await demo.until("preprod follows", 90, async () => {
    return (await demo.json("/api/diff")).changes.some((one: any) => one.service === "jellyfin");
  });
  const deployment = await promoteOne();
  for (const [size, options] of Object.entries(sizes)) {
    for (const colorScheme of ["light", "dark"] as const) {
      const context = await browser.newContext({ ...options, colorScheme, reducedMotion: "reduce" });
      const page = await context.newPage();
      for (const [name, path] of Object.entries({ ...pages, deployment })) {
        await page.goto(demo.url + path);
        await alive(page);
        await page.waitForTimeout(300);
        await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${size}.png`), fullPage: size === "phone" });
      }
      await context.close();
    }
  }

  /// A deployment to look at, while there is still something left to promote.
  async function promoteOne(): Promise<string> {
    const page = await browser.newPage();
    await page.goto(`${demo.url}/changes/prod`);
    await alive(page);
    const boxes = await page.getByRole("checkbox", { name: /^Promote / }).all();
    for (const box of boxes.slice(1)) await box.uncheck();
    await page.getByRole("button", { name: "Deploy to prod…" }).click();
    await confirm(page);
    const path = new URL(page.url()).pathname;
    await page.close();
    return path;
  }
});
