import { expect, test } from "./test.js";
import { card, open, service } from "./views.js";

test("what is opened, typed and scrolled to stays when news come", async ({ page, demo }) => {
  await page.setViewportSize({ width: 1280, height: 480 });
  await open(page, demo.url);
  await page.evaluate(() => ((window as any).sameDocument = true));
  await card(page, "Preprod").getByLabel("Hold preprod…").click();
  const why = card(page, "Preprod").getByLabel("Why");
  await why.fill("moving house");
  await page.evaluate(() => scrollTo(0, 150));
  const { to } = await demo.raise("redis");
  await expect(service(page, "Preprod", "redis").getByText(to, { exact: true })).toBeVisible({ timeout: 60_000 });
  await expect(why).toHaveValue("moving house");
  await expect(why).toBeFocused();
  expect(await page.evaluate(() => scrollY)).toBe(150);

  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Health" }).click();
  const grafana = page.getByRole("region", { name: "Preprod" }).getByRole("listitem").filter({ hasText: "grafana" });
  await grafana.getByText("grafana", { exact: true }).first().click();
  await expect(grafana.getByText("Running since")).toBeVisible();
  const next = await demo.raise("redis");
  const redis = page.getByRole("region", { name: "Preprod" }).getByRole("listitem").filter({ hasText: "redis" });
  await expect(redis.getByText(next.to, { exact: true })).toBeVisible({ timeout: 60_000 });
  await expect(grafana.getByText("Running since")).toBeVisible();
  expect(await page.evaluate(() => (window as any).sameDocument)).toBe(true);
});

test("the browser's own buttons lead back to where one stood", async ({ page, shared }) => {
  await page.setViewportSize({ width: 1280, height: 320 });
  await open(page, `${shared.url}/history`);
  await expect(page.getByRole("heading", { name: "History", level: 1 })).toBeVisible();
  await page.evaluate(() => scrollTo(0, 200));
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Health" }).click();
  await expect(page.getByRole("heading", { name: "Health", level: 1 })).toBeVisible();
  expect(await page.evaluate(() => scrollY)).toBe(0);
  await expect(page.locator("#content")).toBeFocused();
  await page.goBack();
  await expect(page.getByRole("heading", { name: "History", level: 1 })).toBeVisible();
  expect(await page.evaluate(() => scrollY)).toBe(200);
  await page.goForward();
  await expect(page.getByRole("heading", { name: "Health", level: 1 })).toBeVisible();
});

test("orders wait for each other, and one that a link has overtaken still says why it was refused", async ({ page, demo }) => {
  await open(page, demo.url);
  const hold = async (environment: "Preprod" | "Prod") => {
    const name = environment.toLowerCase();
    const form = card(page, environment);
    await form.getByLabel(`Hold ${name}…`).click();
    await form.getByLabel("Why").fill("moving house");
    await form.getByRole("button", { name: "Hold", exact: true }).click();
  };
  let go: () => void = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  const sent: string[] = [];
  await page.route("**/rpc/hold", async (route) => {
    sent.push(route.request().postData() ?? "");
    await held;
    await route.continue();
  });
  await hold("Preprod");
  await hold("Prod");
  await expect.poll(() => sent.length).toBe(1);
  go();
  await expect(card(page, "Preprod").getByText("moving house")).toBeVisible();
  await expect(card(page, "Prod").getByText("moving house")).toBeVisible();

  // Another window was quicker.
  let release: () => void = () => {};
  const resumed = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/rpc/resume", async (route) => {
    await fetch(route.request().url(), { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "environment=prod" });
    await resumed;
    await route.continue();
  });
  await card(page, "Prod").getByRole("button", { name: "Resume" }).click();
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Health" }).click();
  await expect(page.getByRole("heading", { name: "Health", level: 1 })).toBeVisible();
  release();
  await expect(page.getByRole("log", { name: "News" })).toContainText("prod");
  await expect(page.getByRole("heading", { name: "Health", level: 1 })).toBeVisible();
});
