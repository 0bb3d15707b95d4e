import { expect, test } from "./test.js";
import { card, change, confirm, open, succeeded } from "./views.js";

test("after a partial promotion prod says what is older, and the commits begin there", async ({ page, demo }) => {
  const promote = async (...left: string[]) => {
    await open(page, `${demo.url}/changes/prod`);
    for (const service of left) await page.getByRole("checkbox", { name: `Promote ${service}` }).uncheck();
    await page.getByRole("button", { name: "Deploy to prod…" }).click();
    await confirm(page);
    await succeeded(page);
  };
  await promote();
  for (const service of ["grafana", "redis"]) {
    const { to } = await demo.raise(service);
    await demo.until("preprod runs it", 60, async () => (await demo.versions("preprod"))[service] === to);
  }

  // How long they have stood is told beside the button, on the dashboard too.
  await open(page, demo.url);
  const soak = page.getByRole("region", { name: "How these versions have stood" });
  await expect(soak.getByRole("listitem").filter({ hasText: "redis" })).toContainText("ran for");
  await expect(soak.getByRole("listitem")).toHaveCount(2);

  await promote("grafana");
  await open(page, demo.url);
  const prod = card(page, "Prod");
  await expect(prod.getByText(/^Update redis to /)).toBeVisible();
  const older = prod.getByRole("group").filter({ hasText: "In part: " });
  await older.getByText("In part: ").click();
  await expect(older.getByRole("listitem")).toContainText("grafana");
  await expect(older.getByRole("listitem")).not.toContainText("redis");
  await expect(change(page, "grafana").getByText("Version bump")).toBeVisible();

  await open(page, `${demo.url}/changes/prod`);
  const commits = page.getByRole("region", { name: "Commits" });
  await expect(commits.getByRole("heading", { name: "2 commits" })).toBeVisible();
  await expect(commits.getByText(/^Update grafana to /)).toBeVisible();
});
