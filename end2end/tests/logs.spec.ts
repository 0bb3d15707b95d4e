import { AxeBuilder } from "@axe-core/playwright";
import { expect, test } from "./test.js";
import { open } from "./views.js";

test("the log of a service is followed as it is written, searched and held", async ({ page, demo }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await open(page, `${demo.url}/services/grafana`);
  await page.getByRole("button", { name: "Preprod", exact: true }).click();
  const log = page.getByRole("log", { name: "Log lines" });
  const lines = log.getByRole("listitem");
  await expect(lines.first()).toBeVisible();

  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map((one) => `${one.id}: ${one.help}\n${one.nodes.map((node) => node.html).join("\n")}`)).toEqual([]);

  const search = page.getByRole("searchbox", { name: "Search in the log" });
  await search.fill("no line says this");
  await expect(lines).toHaveCount(0);
  await search.fill("LISTENING on");
  await expect(lines.first()).toContainText("listening on");
  await search.fill("");

  // What the new version writes comes by itself.
  const first = await demo.raise("grafana");
  await expect(log.getByText(`${first.to}`).first()).toBeVisible({ timeout: 60_000 });
  await demo.until("it runs", 60, async () => (await demo.versions("preprod")).grafana === first.to);

  // Not during a pause, and nothing is lost in it.
  await page.getByRole("button", { name: "Pause" }).click();
  const second = await demo.raise("grafana");
  await expect(page.getByText(/^Paused, [1-9]\d* lines? waiting$/)).toBeVisible({ timeout: 60_000 });
  await expect(log.getByText(`${second.to}`)).toHaveCount(0);
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(log.getByText(`${second.to}`).first()).toBeVisible({ timeout: 60_000 });

  // Another environment has another log.
  await page.getByRole("button", { name: "Prod", exact: true }).click();
  await expect(lines.first()).toBeVisible();
  await expect(log.getByText(`${second.to}`)).toHaveCount(0);
});
