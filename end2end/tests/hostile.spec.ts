import { expect, test } from "./test.js";
import { card, open, service } from "./views.js";

const evil = `<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>`;

test("what comes from outside is text and never markup", async ({ page, demo, complaints }) => {
  await open(page, demo.url);
  const { to } = await demo.raise("redis");
  await expect(service(page, "Preprod", "redis").getByText(to, { exact: true })).toBeVisible({ timeout: 60_000 });
  demo.commit("preprod", (text) => text.replace(/^GRAFANA_VERSION=.*$/m, "GRAFANA_VERSION=99.1.0"), `${evil}\n\n${evil}`);
  await expect(card(page, "Preprod").getByText(evil)).toBeVisible({ timeout: 60_000 });
  // An error that quotes a line of the env file.
  demo.commit("preprod", (text) => `${text}\n${evil}\n`, evil);
  await expect(card(page, "Preprod").getByText("The newest revision is not deployed here")).toBeVisible({ timeout: 60_000 });
  const paths = ["/", "/changes/prod", "/history", "/health", "/services/grafana", "/settings", "/deployments/2"];
  const asked = encodeURIComponent(evil);
  for (const path of [...paths, `/history?actor=${asked}&service=${asked}`, `/?q=${asked}`, `/services/${asked}`]) {
    await open(page, demo.url + path);
    expect(await page.evaluate(() => (window as any).harmed), path).toBeUndefined();
    expect(await page.locator("main img, main script").count(), path).toBe(0);
  }
  // The last address names no service.
  complaints.splice(0, complaints.length, ...complaints.filter((text) => !text.includes("404")));
});

test("a log line is text and never markup", async ({ page, demo }) => {
  await open(page, demo.url);
  const noisy = `services:\n  noisy:\n    image: busybox:1.36\n    command: ["sh", "-c", ${JSON.stringify(`echo '${evil}'; sleep 86400`)}]\n`;
  demo.commitFile("docker-swarm-stack.yml", (text) => text.replace(/^services:\n/m, noisy), "Add a service that is noisy");
  await expect(service(page, "Preprod", "noisy")).toBeVisible({ timeout: 60_000 });
  await open(page, `${demo.url}/services/noisy`);
  await page.getByRole("button", { name: "Preprod", exact: true }).click();
  await expect(page.getByRole("log", { name: "Log lines" }).getByText(evil)).toBeVisible();
  expect(await page.evaluate(() => (window as any).harmed)).toBeUndefined();
  expect(await page.locator("main img, main script").count()).toBe(0);
});
