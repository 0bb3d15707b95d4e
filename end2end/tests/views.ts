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

/// Opens whatever can be opened on the page.
export async function openAll(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const details of document.querySelectorAll("main details")) (details as HTMLDetailsElement).open = true;
    for (const button of document.querySelectorAll<HTMLElement>("main button[aria-expanded=false]")) button.click();
  });
}

/// How many pixels stand beyond the right edge: of the page, and of the card in which something stands.
export async function fits(page: Page): Promise<void> {
  const beyond = await page.evaluate(() => {
    const root = document.documentElement;
    const outside = [...document.querySelectorAll(".card :is(.button, .badge, .name, .version)")].filter((one) => {
      const edge = one.closest(".card")?.getBoundingClientRect().right ?? 0;
      return !one.closest(".scroll, pre") && one.getBoundingClientRect().right > edge + 0.5;
    });
    return { page: root.scrollWidth - root.clientWidth, outside: outside.map((one) => one.outerHTML) };
  });
  expect(beyond.page, "pixels beyond the right edge").toBeLessThanOrEqual(0);
  expect(beyond.outside, "what runs out of its card").toEqual([]);
}

/// The names of services that stand on more than one line although there is no hyphen in them.
export async function broken(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const tops = (element: Element) => {
      const range = document.createRange();
      range.selectNodeContents(element);
      return new Set([...range.getClientRects()].filter((one) => one.width > 0).map((one) => Math.round(one.top))).size;
    };
    return [...document.querySelectorAll("main :is(.name, .service .version, .health-item .version)")]
      .filter((one) => tops(one) > 1)
      .map((one) => one.textContent ?? "");
  });
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
