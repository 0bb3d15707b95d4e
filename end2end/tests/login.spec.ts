import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { Demo } from "./demo.js";
import { expect, test } from "./test.js";
import { alive, open, openAll } from "./views.js";

const password = "demonstration";
let demo: Demo;

test.beforeAll(async () => {
  test.setTimeout(180_000);
  demo = await Demo.start({ login: true });
});

test.afterAll(async () => demo?.stop());

async function logIn(page: Page, name: string, word = password): Promise<void> {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(word);
  await page.getByRole("button", { name: "Log in" }).click();
}

/// Comes in and stands before the page.
async function enter(page: Page, name: string, path: string): Promise<void> {
  await page.goto(demo.url + path);
  await expect(page.getByRole("heading", { name: "Log in", level: 1 })).toBeVisible();
  await logIn(page, name);
  await page.waitForURL(demo.url + path);
  await alive(page);
}

test("whoever comes is asked for a name and a password, and then sees what they came for", async ({ page }) => {
  await page.goto(`${demo.url}/history`);
  await expect(page).toHaveURL(/\/login\?next=/);
  await expect(page.getByRole("navigation", { name: "Pages" })).toHaveCount(0);
  await logIn(page, "viewer", "not the password");
  await expect(page.getByRole("alert")).toHaveText("Name or password is wrong.");
  await logIn(page, "viewer");
  await expect(page.getByRole("heading", { name: "History", level: 1 })).toBeVisible();
  await alive(page);

  await page.getByRole("link", { name: "Account of viewer" }).click();
  await page.getByRole("button", { name: "Log out", exact: true }).click();
  await expect(page.getByText("You are logged out.")).toBeVisible();
  await page.goto(demo.url);
  await expect(page).toHaveURL(/\/login/);
});

test("a viewer looks, and finds nothing to press", async ({ page }) => {
  await enter(page, "viewer", "/changes/prod");
  await expect(page.getByText("Your role allows you to look, not to deploy here.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Deploy to prod…" })).toBeDisabled();
  await expect(page.getByRole("button", { name: "Confirm deploy" })).toHaveCount(0);
  const form = { environment: "prod", all: "true", seen: "x" };
  const answer = (await page.request.post(`${demo.url}/rpc/promote`, { form, headers: { origin: demo.url } })).status();
  expect(answer).toBe(403);
});

test("a deployer of preprod deploys nothing to prod", async ({ page }) => {
  await enter(page, "deployer", "/changes/prod");
  await expect(page.getByText("Your role allows you to look, not to deploy here.")).toBeVisible();
  await open(page, `${demo.url}/account`);
  await expect(page.getByText("deployer in preprod")).toBeVisible();
  await expect(page.getByRole("link", { name: "Users" })).toHaveCount(0);
});

test("an admin adds a user, who comes in and is shut out again", async ({ page, browser }) => {
  await enter(page, "admin", "/settings/users");
  const name = `guest${Date.now() % 100_000}`;
  const add = page.getByRole("region", { name: "Add a user" });
  await add.getByLabel("Name").fill(name);
  await add.getByLabel(/^Password/).fill(password);
  await add.getByRole("button", { name: "Add user" }).click();
  const line = page.getByRole("listitem").filter({ has: page.getByText(name, { exact: true }) });
  await expect(line.getByText("Never came in")).toBeVisible();

  const context = await browser.newContext({ javaScriptEnabled: false });
  const guest = await context.newPage();
  await guest.goto(demo.url);
  await logIn(guest, name);
  await expect(guest.getByRole("heading", { name: "Dashboard", level: 1 })).toBeVisible();

  await line.getByLabel(`Change ${name}…`).click();
  await line.getByRole("button", { name: "Shut out" }).click();
  await expect(line.getByText("shut out", { exact: true })).toBeVisible();
  await guest.reload();
  await expect(guest.getByRole("heading", { name: "Log in", level: 1 })).toBeVisible();
  await context.close();
});

test("an admin makes a token, a program uses it, and it is revoked", async ({ page }) => {
  await enter(page, "admin", "/settings/tokens");
  const name = `ci${Date.now() % 100_000}`;
  const make = page.getByRole("region", { name: "Make a token" });
  await make.getByLabel("Name").fill(name);
  await make.getByRole("button", { name: "Make token" }).click();
  const secret = (await page.getByText(/^rm_[0-9a-f]{72}$/).textContent()) ?? "";
  await page.getByRole("button", { name: "Copy" }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  const ask = async () => (await fetch(`${demo.url}/api/status`, { headers: { authorization: `Bearer ${secret}` } })).status;
  expect(await ask()).toBe(200);
  await page.getByLabel(`Revoke ${name}…`).click();
  await page.getByRole("button", { name: "Revoke this token" }).click();
  await expect(page.getByText(name, { exact: true })).toHaveCount(0);
  expect(await ask()).toBe(401);
});

test("the pages about access are accessible and fit the screen", async ({ page }) => {
  await page.goto(`${demo.url}/login?problem=wrong`);
  const check = async (path: string) => {
    await openAll(page);
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map((one) => `${path} ${one.id}: ${one.help}\n${one.nodes.map((node) => node.html).join("\n")}`)).toEqual([]);
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(beyond, `pixels beyond the right edge of ${path}`).toBeLessThanOrEqual(0);
  };
  await check("/login");
  await logIn(page, "admin");
  for (const path of ["/account", "/settings/users", "/settings/tokens", "/audit"]) {
    await open(page, demo.url + path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await check(path);
  }
});
