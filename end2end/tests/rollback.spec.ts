import { expect, test } from "./test.js";
import { card, change, confirm, line, open, service, succeeded } from "./views.js";

test("a person goes back to an earlier release from history, and the environment is held until it is resumed", async ({ page, demo }) => {
  const { from, to } = await demo.raise("redis");
  await demo.until("preprod runs it", 60, async () => (await demo.versions("preprod")).redis === to);

  await open(page, `${demo.url}/history?environment=preprod&service=redis`);
  await page.getByRole("button", { name: `Details of redis ${from} in preprod` }).click();
  await page.getByRole("link", { name: "Roll back to this…" }).click();
  await expect(page.getByRole("heading", { name: "Roll preprod back", level: 1 })).toBeVisible();
  await expect(page.getByText("This environment follows git.")).toBeVisible();
  await expect(change(page, "redis")).toContainText("Downgrade");
  const plan = page.getByRole("region", { name: "Plan" });
  await expect(plan.getByRole("listitem")).toHaveCount(1);
  await plan.getByRole("button", { name: "Roll preprod back" }).click();
  await page.waitForURL(/\/deployments\/\d+$/);
  await succeeded(page);
  await expect(line(page, "redis")).toContainText("Succeeded");
  await expect(page.getByRole("region", { name: "Summary" })).toContainText("Rollback to deployment");

  await open(page, demo.url);
  await expect(service(page, "Preprod", "redis").getByText(from, { exact: true })).toBeVisible();
  await expect(card(page, "Preprod").getByText("rolled back to deployment")).toBeVisible();
  await card(page, "Preprod").getByRole("button", { name: "Resume" }).click();
  await expect(card(page, "Preprod").getByText("rolled back to deployment")).toHaveCount(0);
  await demo.until("preprod follows git again", 60, async () => (await demo.versions("preprod")).redis === to);
});

test("an environment is held with a reason, and a service is restarted meanwhile", async ({ page, demo }) => {
  await open(page, demo.url);
  await card(page, "Preprod").getByLabel("Hold preprod…").click();
  await card(page, "Preprod").getByLabel("Why").fill("moving house");
  await card(page, "Preprod").getByRole("button", { name: "Hold", exact: true }).click();
  await expect(card(page, "Preprod").getByText("moving house")).toBeVisible();

  await open(page, `${demo.url}/health`);
  const redis = page.getByRole("region", { name: "Preprod" }).getByRole("listitem").filter({ hasText: "redis" });
  await redis.getByText("redis", { exact: true }).first().click();
  await redis.getByLabel("Restart redis in preprod…").click();
  await redis.getByRole("button", { name: "Restart redis", exact: true }).click();
  await page.waitForURL(/\/deployments\/\d+$/);
  await succeeded(page);
  await expect(page.getByRole("region", { name: "Summary" })).toContainText("Restart of redis");
});

test("an order for a plan waits until the plan for what is ticked is shown", async ({ page, demo }) => {
  const redis = await demo.raise("redis");
  await demo.until("preprod runs it", 60, async () => (await demo.versions("preprod")).redis === redis.to);
  const grafana = await demo.raise("grafana");
  await demo.until("preprod runs it", 60, async () => (await demo.versions("preprod")).grafana === grafana.to);
  const history: { id: number }[] = (await demo.json("/api/history?environment=preprod")).deployments;
  const first = Math.min(...history.map((one) => one.id));

  await open(page, `${demo.url}/rollback/preprod/${first}`);
  const plan = page.getByRole("region", { name: "Plan" });
  const order = plan.getByRole("button", { name: "Roll preprod back" });
  await expect(plan.getByRole("listitem")).toHaveCount(2);
  let go: () => void = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  await page.route("**/rollback/preprod/*?*", async (route) => {
    await held;
    await route.continue();
  });
  const sent: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST") sent.push(request.url());
  });
  await page.getByRole("checkbox", { name: /redis/ }).check();
  await expect(order).toHaveAttribute("aria-busy", "true");
  // On a phone the bar at the bottom would take a click that does not wait for the button.
  await order.evaluate((button: HTMLElement) => button.click());
  await order.press("Enter");
  expect(sent).toEqual([]);
  go();
  await expect(plan.getByRole("listitem")).toHaveCount(1);
  await order.click();
  await page.waitForURL(/\/deployments\/\d+$/);
  await succeeded(page);
  const versions = await demo.versions("preprod");
  expect([versions.redis, versions.grafana]).toEqual([redis.from, grafana.to]);
});

test("an order that is turned away before it is read says why", async ({ page, demo, complaints }) => {
  await open(page, demo.url);
  await card(page, "Preprod").getByLabel("Hold preprod…").click();
  await card(page, "Preprod").getByLabel("Why").fill("moving house");
  const hold = card(page, "Preprod").getByRole("button", { name: "Hold", exact: true });
  const news = page.getByRole("log", { name: "News" });
  const body = JSON.stringify({ kind: "unavailable", message: "too many requests: try again in 3 s" });
  await page.route("**/rpc/hold", (route) => route.fulfill({ status: 429, contentType: "application/json", body }));
  await hold.click();
  await expect(news).toContainText("too many requests: try again in 3 s");
  await page.unroute("**/rpc/hold");
  await page.route("**/rpc/hold", (route) => route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad Gateway</h1>" }));
  await hold.click();
  await expect(news).toContainText("Release Manager cannot be reached");
  await expect(card(page, "Preprod").getByLabel("Why")).toHaveValue("moving house");
  await expect(hold).toBeFocused();
  complaints.splice(0, complaints.length, ...complaints.filter((text) => !/status of (429|502)/.test(text)));
});

test("what an earlier release cannot bring back is said once, and is not offered", async ({ page, demo }) => {
  for (const name of ["grafana", "jellyfin"]) {
    await open(page, `${demo.url}/changes/prod`);
    for (const box of await page.getByRole("checkbox", { name: /^Promote / }).all()) await box.uncheck();
    await page.getByRole("checkbox", { name: `Promote ${name}` }).check();
    await page.getByRole("button", { name: "Deploy to prod…" }).click();
    await confirm(page);
    await succeeded(page);
  }
  await open(page, `${demo.url}/history?environment=prod&service=grafana`);
  await page.getByRole("button", { name: /^Details of grafana / }).click();
  await page.getByRole("link", { name: "Roll back to this…" }).click();
  // When grafana came, jellyfin still ran as it had been found.
  await expect(change(page, "jellyfin")).toContainText("Stays as it is");
  await expect(change(page, "jellyfin").getByRole("checkbox")).toHaveCount(0);
  await expect(page.getByText("Nothing goes back: what runs is that release, as far as it is stored.")).toBeVisible();
  const plan = page.getByRole("region", { name: "Plan" });
  await expect(plan.getByRole("listitem")).toHaveCount(1);
  await expect(plan.getByRole("listitem")).toContainText("jellyfin, ");
});
