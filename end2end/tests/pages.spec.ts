import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "./test.js";
import { broken, card, fits, open, openAll } from "./views.js";

async function accessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map((one) => `${one.id}: ${one.help}\n${one.nodes.map((node) => node.html).join("\n")}`)).toEqual([]);
}

const pages = [
  { path: "/", heading: "Dashboard", text: "jellyfin" },
  { path: "/changes/prod", heading: "Changes to prod", text: "jellyfin" },
  { path: "/deployments/1", heading: "Deployment 1", text: "jellyfin" },
  { path: "/rollback/preprod/1", heading: "Roll preprod back", text: "jellyfin" },
  { path: "/history", heading: "History", text: "jellyfin" },
  { path: "/health", heading: "Health", text: "jellyfin" },
  { path: "/services/jellyfin", heading: "jellyfin", text: "Versions over time" },
  { path: "/insights", heading: "Insights", text: "Lead time" },
  { path: "/settings", heading: "Settings", text: "Stack in the Swarm" },
  { path: "/settings/about", heading: "About", text: "Licence" },
];

for (const { path, heading, text } of pages) {
  test(`${path} is complete without scripts`, async ({ browser, shared }) => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    const response = await page.goto(shared.url + path);
    expect(response?.status()).toBe(200);
    expect(response?.headers()["content-security-policy"]).toContain("script-src 'nonce-");
    await expect(page.getByRole("heading", { name: heading, level: 1 })).toBeVisible();
    await expect(page.getByRole("main").getByText(text).filter({ visible: true }).first()).toBeVisible();
    await expect(page.getByText("This is a demonstration")).toBeVisible();
    await context.close();
  });

  for (const colorScheme of ["light", "dark"] as const) {
    test(`${path} in ${colorScheme} is accessible, fits the screen, and the browser has no complaint`, async ({ page, shared }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await open(page, shared.url + path);
      await expect(page.getByRole("heading", { name: heading, level: 1 })).toBeVisible();
      await expect(page).toHaveTitle(/Release Manager/);
      await accessible(page);
      await fits(page);
      await openAll(page);
      await accessible(page);
      await fits(page);
    });
  }
}

test("every page fits a screen of 320 pixels", async ({ page, shared }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  for (const { path, heading } of pages) {
    await open(page, shared.url + path);
    await expect(page.getByRole("heading", { name: heading, level: 1 })).toBeVisible();
    await fits(page);
    expect(await broken(page), `names that ${path} breaks`).toEqual([]);
    await openAll(page);
    await fits(page);
  }
});

test("what has failed fits every screen too", async ({ page, demo }) => {
  demo.commit("preprod", (text) => text.replace(/^(PIHOLE_VERSION=.*)$/m, "$1-crash"), "Crash pihole");
  await demo.until("the deployment has been given up", 90, async () => {
    const [row] = (await demo.json("/api/history?environment=preprod&service=pihole&limit=1")).deployments;
    return row.status === "rolled_back" || row.status === "failed";
  });
  for (const width of [320, 390, 1280, 2560]) {
    await page.setViewportSize({ width, height: 800 });
    await open(page, `${demo.url}/deployments/2`);
    await expect(page.getByRole("button", { name: "Retry the newest revision" })).toBeVisible();
    await fits(page);
    await open(page, demo.url);
    await expect(card(page, "Preprod").getByText("The newest revision is not deployed here")).toBeVisible();
    await fits(page);
    expect(await broken(page), `names that break at ${width}`).toEqual([]);
  }
});

test("what is asked before a hold moves nothing", async ({ page, shared }) => {
  await open(page, shared.url);
  const hold = card(page, "Preprod").getByLabel("Hold preprod…");
  const places = async () => {
    const of = [hold, card(page, "Preprod"), card(page, "Prod"), page.getByRole("region", { name: "Changes to deploy to prod" })];
    return Promise.all(of.map((one) => one.boundingBox()));
  };
  await hold.scrollIntoViewIfNeeded();
  const before = await places();
  await hold.click();
  await expect(card(page, "Preprod").getByLabel("Why")).toBeVisible();
  expect(await places()).toEqual(before);
  await accessible(page);
});

test("a page that is not there says so", async ({ page, shared, complaints }) => {
  const response = await page.goto(`${shared.url}/nowhere`);
  expect(response?.status()).toBe(404);
  await expect(page.getByRole("heading", { name: "There is no page here" })).toBeVisible();
  await page.getByRole("link", { name: "To the dashboard" }).click();
  await expect(page.getByRole("heading", { name: "Dashboard", level: 1 })).toBeVisible();
  complaints.splice(0, complaints.length, ...complaints.filter((line) => !line.includes("404")));
});

test("the pages are reached with the keyboard", async ({ page, shared, isMobile }) => {
  test.skip(isMobile, "a phone has no keyboard");
  await open(page, shared.url);
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("#content")).toBeFocused();
});

test("the theme is remembered", async ({ page, shared }) => {
  await open(page, shared.url);
  await page.getByRole("button", { name: /^Theme: system/ }).click();
  await page.getByRole("button", { name: /^Theme: light/ }).click();
  await expect(page.getByRole("button", { name: /^Theme: dark/ })).toBeVisible();
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});
