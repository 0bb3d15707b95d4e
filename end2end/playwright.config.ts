import { defineConfig, devices } from "@playwright/test";
import { existsSync } from "node:fs";

// The system's browser: none is ever downloaded.
const candidates = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = candidates.find((path) => path && existsSync(path));

const screenshots = /screenshots\.spec\.ts/;
// What a phone does as a desktop does is tried on one of them.
const desktopOnly = /(choice|trouble|keys|filters|together|hostile|patch|parts)\.spec\.ts/;

export default defineConfig({
  testDir: "tests",
  outputDir: "test-results",
  forbidOnly: process.env.CI === "true",
  // A test that passes at the second attempt has still found something.
  retries: 0,
  workers: 2,
  timeout: 120_000,
  globalTimeout: 40 * 60_000,
  expect: { timeout: 15_000 },
  reporter: [["list"]],
  use: {
    launchOptions: {
      executablePath,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-extensions",
        "--disable-sync",
        "--no-first-run",
      ],
    },
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
  },
  projects: [
    { name: "desktop", use: { ...devices["Desktop Chrome"] }, testIgnore: screenshots },
    { name: "phone", use: { ...devices["Pixel 7"] }, testIgnore: [screenshots, desktopOnly] },
    { name: "screenshots", use: { ...devices["Desktop Chrome"] }, testMatch: screenshots },
  ],
});
