import type { Locator, Page } from "@playwright/test";
import { expect, test } from "./test.js";
import { change, confirm, line, open, service, succeeded } from "./views.js";

test("only the chosen services are promoted", async ({ page, demo }) => {
  const grafana = (await demo.versions("prod")).grafana ?? "";
  await demo.raise("grafana");
  await demo.until("preprod runs it", 60, async () => (await demo.versions("preprod")).grafana !== grafana);
  const { to } = await demo.raise("redis");
  await demo.until("preprod runs it", 60, async () => (await demo.versions("preprod")).redis === to);

  await open(page, `${demo.url}/changes/prod`);
  for (const box of await page.getByRole("checkbox", { name: /^Promote / }).all()) await box.uncheck();
  await expect(page.getByRole("button", { name: "Deploy to prod…" })).toBeDisabled();
  await page.getByRole("checkbox", { name: "Promote redis" }).check();
  await expect(page.getByRole("region", { name: "Plan" }).getByRole("listitem")).toHaveCount(1);
  await page.getByRole("button", { name: "Deploy to prod…" }).click();
  const dialog = page.getByRole("dialog", { name: "Deploy 1 service to prod?" });
  await expect(dialog.getByRole("listitem")).toHaveCount(1);
  await confirm(page);
  await succeeded(page);
  await expect(line(page, "redis")).toContainText("Succeeded");
  await expect(line(page, "grafana")).toHaveCount(0);

  await open(page, demo.url);
  await expect(service(page, "Prod", "redis").getByText(to, { exact: true })).toBeVisible();
  await expect(service(page, "Prod", "grafana").getByText(grafana, { exact: true })).toBeVisible();
  await expect(service(page, "Preprod", "grafana").getByText("NEWER")).toBeVisible();
  await expect(change(page, "redis")).toContainText("No change");
});

test("a release is promoted with the keyboard alone", async ({ page, demo }) => {
  await open(page, demo.url);
  await reach(page, page.getByRole("link", { name: "Deploy to prod…" }));
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Changes to prod", level: 1 })).toBeVisible();
  const grafana = page.getByRole("checkbox", { name: "Promote grafana" });
  await reach(page, grafana);
  await page.keyboard.press("Space");
  await expect(grafana).not.toBeChecked();
  const deploy = page.getByRole("button", { name: "Deploy to prod…" });
  await expect(deploy).toBeEnabled();
  await reach(page, deploy);
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByText("grafana")).toHaveCount(0);
  // The dialog has taken the focus, and keeps it.
  await expect(dialog.getByRole("button", { name: "Cancel" })).toBeFocused();
  await reach(page, dialog.getByRole("button", { name: "Confirm deploy" }), 1);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/deployments\/\d+$/);
  await succeeded(page);
});

/// Moves the focus with the Tab key until it is there.
async function reach(page: Page, wanted: Locator, most = 60): Promise<void> {
  for (let presses = 0; presses < most; presses += 1) {
    await page.keyboard.press("Tab");
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`the Tab key does not lead to ${wanted}`);
}

test("nothing is deployed before the dialog is confirmed", async ({ page, demo }) => {
  const before = await demo.versions("prod");
  await open(page, `${demo.url}/changes/prod`);
  await page.getByRole("button", { name: "Deploy to prod…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await page.getByRole("button", { name: "Deploy to prod…" }).click();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  expect(await demo.versions("prod")).toEqual(before);
});
