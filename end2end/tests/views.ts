// What stands on the pages, found as people find it: by role and text.

import type { Locator, Page } from "@playwright/test";
import { expect } from "./test.js";

/// Opens a page and waits until it can be used.
export async function open(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await alive(page);
}

export async function alive(page: Page): Promise<void> {
  await page.locator("html[data-alive]").waitFor({ state: "attached" });
}

/// The card of an environment on the dashboard.
export function card(page: Page, environment: "Preprod" | "Prod"): Locator {
  return page.getByRole("article", { name: environment, exact: true });
}

/// A service in the card of an environment.
export function service(page: Page, environment: "Preprod" | "Prod", name: string): Locator {
  const services = card(page, environment).getByRole("list", { name: "Services" });
  return services.getByRole("listitem").filter({ has: page.getByText(name, { exact: true }) });
}

/// `jellyfin 10.10.7` for every service in the card of an environment.
export async function shown(page: Page, environment: "Preprod" | "Prod"): Promise<string[]> {
  const services = card(page, environment).getByRole("list", { name: "Services" }).getByRole("listitem");
  const text = async (row: Locator) =>
    `${await row.locator(".name").textContent()} ${await row.locator(".version").textContent()}`;
  return Promise.all((await services.all()).map(text));
}

/// A service in a table of changes.
export function change(page: Page, name: string): Locator {
  return page.getByRole("row").filter({ has: page.getByRole("rowheader", { name, exact: true }) });
}

/// A service on the page of a deployment.
export function line(page: Page, name: string): Locator {
  const services = page.getByRole("region", { name: "Services" });
  return services.locator(".line").filter({ has: page.getByText(name, { exact: true }) });
}

/// From the page of changes to the page of the deployment.
export async function confirm(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Confirm deploy" }).click();
  await page.waitForURL(/\/deployments\/\d+$/);
}

/// Waits on the page of a deployment until it is over, and well.
export async function succeeded(page: Page): Promise<void> {
  const summary = page.getByRole("region", { name: "Summary" });
  await expect(summary.getByText("Succeeded", { exact: true })).toBeVisible({ timeout: 90_000 });
  await expect(summary.getByText("100 %", { exact: true })).toBeVisible();
}
