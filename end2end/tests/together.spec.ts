import { expect, test } from "./test.js";
import { card, confirm, line, open, succeeded } from "./views.js";

test("two browsers see the same rollout, and who looks elsewhere is told of its end", async ({ page, browser, demo }) => {
  const context = await browser.newContext({ permissions: ["notifications"] });
  const other = await context.newPage();
  // What the system would show, where a test can see it.
  await other.addInitScript(() => {
    (window as any).notified = [];
    class Told {
      static permission = "granted";
      static requestPermission() {
        return Promise.resolve("granted");
      }
      constructor(title: string) {
        (window as any).notified.push(title);
      }
    }
    (window as any).Notification = Told;
  });
  await open(other, demo.url);
  await open(page, `${demo.url}/changes/prod`);
  await page.getByRole("button", { name: "Deploy to prod…" }).click();
  await confirm(page);
  await card(other, "Prod").getByRole("link", { name: /Promotion from preprod/ }).click();
  await other.getByRole("button", { name: "Tell me when it ends" }).click();
  await expect(other.getByRole("button", { name: "You will be told when it ends" })).toBeVisible();
  await expect(line(page, "traefik")).toContainText(/Submitting|Updating|Stable/);
  await expect(line(other, "traefik")).toContainText(/Submitting|Updating|Stable|Succeeded/);
  await other.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "History" }).click();
  await expect(other.getByRole("heading", { name: "History", level: 1 })).toBeVisible();
  await succeeded(page);
  await expect(other.getByRole("log", { name: "News" })).toContainText("The deployment to prod succeeded");
  expect(await other.evaluate(() => (window as any).notified)).toEqual(["The deployment to prod succeeded"]);
  // Who looks at it is not told twice.
  await expect(page.getByRole("log", { name: "News" })).toBeEmpty();
  await other.getByRole("log", { name: "News" }).getByRole("link", { name: "Look at it" }).click();
  await expect(other.getByRole("heading", { name: /^Deployment \d+$/, level: 1 })).toBeVisible();
  await context.close();
});
