import { expect, test } from "./test.js";
import { card, open, service } from "./views.js";

test("services are found by letters and by state, and the address says so", async ({ page, shared }) => {
  await open(page, shared.url);
  const services = card(page, "Preprod").getByRole("list", { name: "Services" });
  await page.getByRole("searchbox", { name: "Service" }).fill("jelly");
  await expect(service(page, "Preprod", "jellyfin")).toBeVisible();
  await expect(services.getByText("9 services not shown")).toBeVisible();
  await expect(service(page, "Preprod", "grafana")).toHaveCount(0);
  const changes = page.getByRole("region", { name: "Changes to deploy to prod" });
  await expect(changes.getByRole("rowheader")).toHaveText(["jellyfin"]);
  await expect(changes.getByText("9 services not shown")).toBeVisible();
  expect(new URL(page.url()).search).toBe("?q=jelly");
  await page.reload();
  await expect(page.getByRole("searchbox", { name: "Service" })).toHaveValue("jelly");
  await expect(service(page, "Preprod", "grafana")).toHaveCount(0);

  await page.getByRole("searchbox", { name: "Service" }).fill("");
  await page.getByRole("combobox", { name: "State" }).selectOption("Newer than the next");
  await expect(service(page, "Preprod", "traefik")).toBeVisible();
  await expect(service(page, "Preprod", "pihole")).toHaveCount(0);
  expect(new URL(page.url()).search).toBe("?state=newer");

  await service(page, "Preprod", "traefik").getByRole("link", { name: "traefik" }).click();
  await expect(page.getByRole("heading", { name: "traefik", level: 1 })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("combobox", { name: "State" })).toHaveValue("newer");
  await expect(service(page, "Preprod", "pihole")).toHaveCount(0);
});

test("services are found without scripts too", async ({ browser, shared }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(shared.url);
  await page.getByRole("searchbox", { name: "Service" }).fill("jelly");
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(service(page, "Preprod", "jellyfin")).toBeVisible();
  await expect(service(page, "Preprod", "grafana")).toHaveCount(0);
  await page.goto(`${shared.url}/history?status=failed`);
  await expect(page.getByText("Nothing matches")).toBeVisible();
  await page.getByRole("combobox", { name: "Status" }).selectOption("Succeeded");
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(page.getByRole("rowheader", { name: "jellyfin" }).first()).toBeVisible();
  await context.close();
});

test("history is narrowed by what one chooses, and leaves as a file", async ({ page, shared }) => {
  await open(page, `${shared.url}/history`);
  const rows = page.locator("table.history tbody");
  await expect(rows.first()).toBeVisible();
  const all = await rows.count();
  await page.getByRole("combobox", { name: "Service" }).selectOption("jellyfin");
  await expect(page).toHaveURL(/\/history\?service=jellyfin$/);
  await expect.poll(() => rows.count()).toBeLessThan(all);
  await page.getByRole("combobox", { name: "Cause" }).selectOption("Rollback");
  await expect(page.getByText("Nothing matches")).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("combobox", { name: "Cause" })).toHaveValue("");
  await expect(page.getByRole("rowheader", { name: "jellyfin" }).first()).toBeVisible();
  await page.getByRole("searchbox", { name: "By" }).fill("nobody");
  await page.getByRole("searchbox", { name: "By" }).press("Enter");
  await expect(page.getByText("Nothing matches")).toBeVisible();
  await page.getByRole("link", { name: "Clear" }).click();
  await expect.poll(() => rows.count()).toBe(all);

  const [csv] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export CSV" }).click()]);
  expect(csv.suggestedFilename()).toBe("history.csv");
  const json = await page.request.get(`${shared.url}/api/history/export?format=json&service=jellyfin`);
  const exported: any[] = await json.json();
  expect(exported.length).toBeGreaterThan(0);
  expect(exported.every((row) => row.service_name === "jellyfin")).toBe(true);
});

test("older rows are added to those that are shown", async ({ page, demo }) => {
  // Ten rows come from the first deployment; each commit of everything adds ten more.
  for (const round of [1, 2]) {
    demo.commit("preprod", (text) => text.replace(/^([A-Z]+_VERSION=.*?)(-r\d+)?$/gm, `$1-r${round}`), `Round ${round}`);
    await demo.until(`round ${round} runs`, 90, async () => {
      const history = (await demo.json("/api/history?environment=preprod&limit=1")).deployments;
      return (history[0]?.version ?? "").endsWith(`-r${round}`) && history[0].status !== "in_progress";
    });
  }
  await open(page, `${demo.url}/history`);
  const rows = page.locator("table.history tbody");
  await expect(rows).toHaveCount(25);
  await page.getByRole("link", { name: "Load more" }).click();
  await expect(rows).toHaveCount(30);
  await expect(page.getByRole("link", { name: "Load more" })).toHaveCount(0);
  await expect(page.getByText("30 of 30")).toBeVisible();
  // News come on top; what was loaded stays, and what was opened stays open.
  const details = rows.nth(3).getByRole("button", { name: /^Details of / });
  const opened = page.getByRole("button", { name: (await details.getAttribute("aria-label")) ?? "", exact: true }).first();
  await details.click();
  await expect(details).toHaveAttribute("aria-expanded", "true");
  await demo.raise("redis");
  await expect(rows).toHaveCount(31, { timeout: 60_000 });
  await expect(rows.first().getByRole("row").first()).toContainText("Succeeded", { timeout: 60_000 });
  await expect(rows.nth(4).getByRole("button", { name: /^Details of / })).toHaveAttribute("aria-expanded", "true");
  await expect(opened).toBeFocused();
});
