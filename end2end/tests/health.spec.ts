import { expect, test } from "./test.js";
import { open } from "./views.js";

test("a service that crashes again and again is explained in its row: tasks, errors, exit codes, last log lines", async ({ page, demo }) => {
  const crashing = `${(await demo.versions("preprod")).redis}-crash`;
  await open(page, `${demo.url}/health`);
  const redis = page.getByRole("region", { name: "Preprod" }).getByRole("listitem").filter({ has: page.getByText("redis", { exact: true }) }).first();
  await redis.getByText("redis", { exact: true }).click();
  const tasks = redis.locator(".tasks").getByRole("listitem");
  await expect(tasks.filter({ hasText: "running" })).toHaveCount(1);
  await expect(redis.getByText("The last log lines of task")).toHaveCount(0);

  // Without Swarm's own way back it goes on to crash.
  demo.commitFile("docker-swarm-stack.yml", (text) => text.replace("failure_action: rollback", "failure_action: pause"), "Stay where it fails");
  demo.commit("preprod", (text) => text.replace(/^REDIS_VERSION=.*$/m, `REDIS_VERSION=${crashing}`), "Break redis");
  // What was opened stays open while the page follows.
  const failed = tasks.filter({ hasText: "failed" }).first();
  await expect(failed).toContainText("exit code 1", { timeout: 60_000 });
  await expect(failed).toContainText(/slot 1 on swarm-\d/);
  const words = redis.getByRole("figure").filter({ hasText: "The last log lines of task" });
  await expect(words.locator("pre")).toContainText(/\S/, { timeout: 60_000 });
  await expect(words.locator("code")).toHaveText(/^[a-z0-9]{12}$/);
});
