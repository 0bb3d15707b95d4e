import { expect, test } from "./test.js";
import { card, open, service } from "./views.js";

test("an env file that cannot be read is named with its place, and preprod keeps running", async ({ page, demo }) => {
  await open(page, demo.url);
  const before = await demo.versions("preprod");
  let good = "";

  demo.commit("preprod", (text) => ((good = text), `${text}\nTHIS IS NO SETTING\n`), "Break the env file");
  const preprod = card(page, "Preprod");
  await expect(preprod.getByText("The newest revision is not deployed here")).toBeVisible({ timeout: 30_000 });
  const line = good.split("\n").length + 1;
  await expect(preprod.getByText("env/.env.preprod").first()).toBeVisible();
  await expect(preprod.getByText(new RegExp(`\\b${line}\\b`)).first()).toBeVisible();
  await expect(preprod.getByRole("button", { name: "Retry" })).toBeVisible();
  expect(await demo.versions("preprod")).toEqual(before);

  demo.commit("preprod", () => good.replace(/^REDIS_VERSION=.*$/m, ""), "Forget a version");
  await expect(preprod.getByText("REDIS_VERSION", { exact: true })).toBeVisible({ timeout: 30_000 });
  expect(await demo.versions("preprod")).toEqual(before);

  demo.commit("preprod", () => good, "Repair it");
  await expect(preprod.getByText("The newest revision is not deployed here")).toBeHidden({ timeout: 30_000 });
  const { to } = await demo.raise("redis");
  await expect(service(page, "Preprod", "redis").getByText(to, { exact: true })).toBeVisible({ timeout: 60_000 });
});

test("a lost connection is said, and the page goes on where it stopped", async ({ page, demo, complaints }) => {
  await open(page, demo.url);
  const heading = page.getByRole("heading", { name: "Dashboard", level: 1 });
  const place = await heading.boundingBox();
  const dot = page.locator(".source > .dot");
  const colour = () => dot.evaluate((element) => getComputedStyle(element).backgroundColor);
  const fresh = await colour();
  await demo.halt();
  await expect(page.getByText("Connection lost.")).toBeVisible({ timeout: 30_000 });
  // Nothing has moved, and nothing is told that cannot be known.
  expect(await heading.boundingBox()).toEqual(place);
  expect(await colour()).not.toBe(fresh);
  await expect(page.getByText(/, again in/)).toBeHidden();
  await demo.run();
  await expect(page.getByText("Connection lost.")).toBeHidden({ timeout: 60_000 });
  expect(await colour()).toBe(fresh);
  const { to } = await demo.raise("redis");
  await expect(service(page, "Preprod", "redis").getByText(to, { exact: true })).toBeVisible({ timeout: 60_000 });
  // The browser's own lines about requests that nobody answered.
  complaints.splice(0, complaints.length, ...complaints.filter((line) => !/net::ERR_|Failed to (fetch|load resource)/.test(line)));
});
