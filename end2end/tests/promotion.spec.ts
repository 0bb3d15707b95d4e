import { expect, test } from "./test.js";
import { card, change, confirm, line, open, service, shown, succeeded } from "./views.js";

test("a commit deploys preprod by itself, and a person promotes it to prod", async ({ page, demo }) => {
  await open(page, demo.url);
  // Gone after a reload: everything up to the deployment happens in one page.
  await page.evaluate(() => ((window as any).sameDocument = true));
  const before = (await demo.versions("prod")).jellyfin ?? "";

  const { to } = await demo.raise("jellyfin");

  const inPreprod = service(page, "Preprod", "jellyfin");
  await expect(inPreprod.getByText(to, { exact: true })).toBeVisible({ timeout: 60_000 });
  await expect(inPreprod.getByText("NEWER")).toBeVisible();
  await expect(card(page, "Preprod").getByText(`Update jellyfin to ${to}`)).toBeVisible();
  await expect(service(page, "Prod", "jellyfin").getByText(before, { exact: true })).toBeVisible();
  await expect(change(page, "jellyfin").getByText("Version bump")).toBeVisible();
  await expect(change(page, "jellyfin")).toContainText(before);
  await expect(change(page, "jellyfin")).toContainText(to);

  await page.getByRole("link", { name: "Deploy to prod…" }).click();
  await expect(page.getByRole("heading", { name: "Changes to prod", level: 1 })).toBeVisible();
  expect(await page.evaluate(() => (window as any).sameDocument)).toBe(true);
  await expect(page.getByRole("checkbox", { name: "Promote jellyfin" })).toBeChecked();
  await page.getByRole("button", { name: "Deploy to prod…" }).click();
  const dialog = page.getByRole("dialog", { name: /^Deploy \d+ services? to prod\?$/ });
  await expect(dialog.getByRole("listitem").filter({ hasText: "jellyfin" })).toContainText(to);
  await confirm(page);

  await expect(page.getByRole("heading", { name: /^Deployment \d+$/, level: 1 })).toBeVisible();
  await expect(page.getByText("Write the changes to the Swarm")).toBeVisible();
  await expect(line(page, "jellyfin")).toContainText(/Submitting|Updating|Stable \d+ of \d+ s/);
  await succeeded(page);
  await expect(line(page, "jellyfin")).toContainText("Succeeded");

  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Dashboard" }).click();
  await expect(page.getByText("Nothing to deploy")).toBeVisible();
  await expect(page.getByText("NEWER", { exact: true })).toHaveCount(0);
  expect(await shown(page, "Prod")).toEqual(await shown(page, "Preprod"));

  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "History" }).click();
  const row = page.getByRole("row").filter({ hasText: "jellyfin" }).first();
  await expect(row).toContainText("prod");
  await expect(row).toContainText(to);
  await expect(row).toContainText("Succeeded");
});

test("without scripts a release is promoted all the same", async ({ browser, demo }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${demo.url}/changes/prod`);
  await page.getByRole("button", { name: "Deploy to prod…" }).click();
  await confirm(page);
  const id = page.url().split("/").at(-1);
  await demo.until("the deployment is over", 90, async () => (await demo.json(`/api/deploy/prod/${id}`)).status === "success");
  await page.goto(demo.url);
  await expect(page.getByText("Nothing to deploy")).toBeVisible();
  expect(await demo.versions("prod")).toEqual(await demo.versions("preprod"));
  await context.close();
});
