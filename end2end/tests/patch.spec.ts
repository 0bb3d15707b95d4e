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
