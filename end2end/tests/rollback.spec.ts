import { expect, test } from "./test.js";
import { card, change, line, open, service, succeeded } from "./views.js";

test("a person goes back to an earlier release from history, and the environment is held until it is resumed", async ({ page, demo }) => {
  const { from, to } = await demo.raise("redis");
  await demo.until("preprod runs it", 60, async () => (await demo.versions("preprod")).redis === to);

  await open(page, `${demo.url}/history?environment=preprod&service=redis`);
  await page.getByRole("button", { name: `Details of redis ${from} in preprod` }).click();
  await page.getByRole("link", { name: "Roll back to this…" }).click();
  await expect(page.getByRole("heading", { name: "Roll preprod back", level: 1 })).toBeVisible();
  await expect(page.getByText("This environment follows git.")).toBeVisible();
  await expect(change(page, "redis")).toContainText("Version bump");
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
