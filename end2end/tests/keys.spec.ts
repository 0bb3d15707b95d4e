import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "./test.js";
import { open } from "./views.js";

async function accessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join("\n")}`)).toEqual([]);
}

test("the palette leads to a service, an environment and a page", async ({ page, shared }) => {
  await open(page, shared.url);
  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Go to" });
  await expect(palette.getByRole("combobox")).toBeFocused();
  await accessible(page);
  await page.keyboard.type("jelly");
  await expect(palette.getByRole("option")).toHaveCount(1);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "jellyfin", level: 1 })).toBeVisible();
  await expect(palette).toBeHidden();

  await page.keyboard.press("Control+k");
  await expect(palette.getByRole("combobox")).toHaveValue("");
  await page.keyboard.type("changes");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await expect(palette.getByRole("option", { selected: true })).toHaveText(/Changes to prod/);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Changes to prod", level: 1 })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("heading", { name: "jellyfin", level: 1 })).toBeVisible();

  await page.getByRole("button", { name: "Go to…" }).click();
  await page.keyboard.type("no such place");
  await expect(palette.getByText("Nothing of that name.")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(palette).toBeHidden();
});

test("two letters lead to every page, and ? tells which", async ({ page, shared }) => {
  await open(page, shared.url);
  for (const [letter, heading] of [["h", "History"], ["e", "Health"], ["i", "Insights"], ["s", "Settings"], ["c", "Changes to prod"], ["d", "Dashboard"]]) {
    await page.keyboard.press("g");
    await page.keyboard.press(letter ?? "");
    await expect(page.getByRole("heading", { name: heading, level: 1 })).toBeVisible();
  }
  await page.keyboard.press("?");
  const keys = page.getByRole("dialog", { name: "Keys" });
  await expect(keys.getByText("Go to a page, an environment or a service")).toBeVisible();
  await accessible(page);
  await page.keyboard.press("Escape");
  await expect(keys).toBeHidden();
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox", { name: "Service" })).toBeFocused();
  // In a field a letter is a letter.
  await page.keyboard.type("gh?");
  await expect(page.getByRole("heading", { name: "Dashboard", level: 1 })).toBeVisible();
  await expect(page.getByRole("searchbox", { name: "Service" })).toHaveValue("gh?");
});

test("the dialogs of a promotion are accessible", async ({ page, shared }) => {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await open(page, `${shared.url}/changes/prod`);
    await page.getByRole("button", { name: "Deploy to prod…" }).click();
    await expect(page.getByRole("dialog")).toBeVisible();
    await accessible(page);
  }
});
