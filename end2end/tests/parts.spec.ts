// What moves on the dashboard, on the changes and on a deployment is drawn in the browser, from data.

import type { Page } from "@playwright/test";
import { expect, test } from "./test.js";
import { card, change, line, open, service, succeeded } from "./views.js";

/// The paths that the page asks for from now on.
function asked(page: Page): string[] {
  const paths: string[] = [];
  page.on("request", (request) => {
    if (["document", "fetch"].includes(request.resourceType())) paths.push(new URL(request.url()).pathname);
  });
  return paths;
}

test("the dashboard asks for data when something has happened, and for nothing when one looks for a service", async ({ page, demo }) => {
  await open(page, demo.url);
  const paths = asked(page);
  await page.getByRole("searchbox", { name: "Service" }).fill("jelly");
  await expect(service(page, "Preprod", "grafana")).toHaveCount(0);
  await page.getByRole("searchbox", { name: "Service" }).fill("");
  await expect(service(page, "Preprod", "grafana")).toBeVisible();
  expect(paths).toEqual([]);
  const { to } = await demo.raise("redis");
  await expect(service(page, "Preprod", "redis").getByText(to, { exact: true })).toBeVisible({ timeout: 60_000 });
  await expect(change(page, "redis")).toContainText(to);
  expect(paths.filter((path) => !path.startsWith("/rpc/"))).toEqual([]);
  expect(paths).toContain("/rpc/overview");
  // Once for each change of history, and not for each value that comes.
  expect(paths.filter((path) => path === "/rpc/overview").length).toBeLessThan(8);
});

test("the plan follows the choice, and the choice outlives a reload", async ({ page, shared }) => {
  await open(page, `${shared.url}/changes/prod`);
  const paths = asked(page);
  const plan = page.getByRole("region", { name: "Plan" }).getByRole("listitem");
  await expect(plan).toHaveCount(3);
  await page.getByRole("checkbox", { name: "Promote grafana" }).uncheck();
  await expect(plan).toHaveCount(2);
  await expect(page.getByText("2 of 3 changes chosen")).toBeVisible();
  expect(paths).toEqual(["/rpc/compare"]);
  await page.reload();
  await expect(page.getByRole("checkbox", { name: "Promote grafana" })).not.toBeChecked();
  await expect(plan).toHaveCount(2);
});

test("a promotion whose plan has changed is refused with the new plan", async ({ page, demo }) => {
  await open(page, `${demo.url}/changes/prod`);
  await page.getByRole("button", { name: "Deploy to prod…" }).click();
  const { to } = await demo.raise("redis");
  await demo.until("preprod runs it", 60, async () => (await demo.versions("preprod")).redis === to);
  // The page behind the dialog hears of it, but what was opened to be read stays.
  await expect(page.locator("#content table").first()).toContainText(to);
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByText("redis")).toHaveCount(0);
  await dialog.getByRole("button", { name: "Confirm deploy" }).click();
  await expect(dialog.getByText("Something has changed since you looked")).toBeVisible();
  await expect(dialog.getByRole("listitem").filter({ hasText: "redis" })).toContainText(to);
  await dialog.getByRole("button", { name: "Confirm deploy" }).click();
  await page.waitForURL(/\/deployments\/\d+$/);
  await expect(line(page, "redis")).toBeVisible();
  await succeeded(page);
});

test("an environment is synced when somebody says so, and the outcome is told", async ({ page, demo }) => {
  await open(page, demo.url);
  await expect(card(page, "Prod").getByRole("button", { name: "Sync now" })).toHaveCount(0);
  await card(page, "Preprod").getByRole("button", { name: "Sync now" }).click();
  await expect(page.getByRole("log", { name: "News" })).toContainText("preprod runs the newest revision already");
});

/// Keeps the program of the pages back until it is let go.
async function withoutProgram(page: Page): Promise<() => void> {
  let go: () => void = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  await page.route("**/*.wasm", async (route) => {
    await held;
    await route.continue();
  });
  return go;
}

test("what was chosen before the program came is planned", async ({ page, shared }) => {
  const go = await withoutProgram(page);
  await page.goto(`${shared.url}/changes/prod`, { waitUntil: "commit" });
  await page.getByRole("checkbox", { name: "Promote grafana" }).uncheck();
  go();
  await page.locator("html[data-alive]").waitFor({ state: "attached" });
  await expect(page.getByRole("region", { name: "Plan" }).getByRole("listitem")).toHaveCount(2);
  await expect(page.getByRole("checkbox", { name: "Promote grafana" })).not.toBeChecked();
  await expect(page.getByText("Planning…")).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Deploy to prod…" })).toBeEnabled();
});

test("what was typed before the program came is not lost", async ({ page, shared }) => {
  const go = await withoutProgram(page);
  await page.goto(shared.url, { waitUntil: "commit" });
  await page.getByRole("searchbox", { name: "Service" }).fill("jelly");
  await page.getByRole("combobox", { name: "State" }).selectOption("Newer than the next");
  await page.getByRole("searchbox", { name: "Service" }).focus();
  go();
  await page.locator("html[data-alive]").waitFor({ state: "attached" });
  await expect(page.getByRole("searchbox", { name: "Service" })).toHaveValue("jelly");
  await expect(page.getByRole("searchbox", { name: "Service" })).toBeFocused();
  await expect(service(page, "Preprod", "jellyfin")).toBeVisible();
  await expect(service(page, "Preprod", "traefik")).toHaveCount(0);
});

test("what cannot be asked for is drawn by the server", async ({ page, demo, complaints }) => {
  await open(page, demo.url);
  const body = JSON.stringify({ kind: "internal", message: "it went wrong" });
  await page.route("**/rpc/overview", (route) => route.fulfill({ status: 500, contentType: "application/json", body }));
  const { to } = await demo.raise("redis");
  await expect(service(page, "Preprod", "redis").getByText(to, { exact: true })).toBeVisible({ timeout: 60_000 });
  complaints.splice(0, complaints.length, ...complaints.filter((text) => !/status of 500/.test(text)));
});

test("the line of the source follows beside a part with data of its own", async ({ page, demo }) => {
  await open(page, demo.url);
  const line = page.locator(".source");
  const before = await line.innerText();
  await demo.raise("redis");
  await expect(line).not.toContainText(before.split("\n")[1] ?? "", { timeout: 20_000 });
});
