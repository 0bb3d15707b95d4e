// A demo of its own for whoever asks: the built program on a free port, with a sample repository in a scratch directory.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export type Versions = Record<string, string>;

export class Demo {
  private output = "";

  private constructor(
    readonly url: string,
    readonly dir: string,
    private readonly process: ChildProcess,
  ) {
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.output = (this.output + chunk.toString()).slice(-20_000)));
    }
  }

  static async start(): Promise<Demo> {
    const program = process.env.RELEASE_MANAGER ?? "../target/debug/release-manager";
    const port = await freePort();
    // Short: the path of the Engine's socket has 108 bytes at most.
    const dir = mkdtempSync(join(tmpdir(), "rm-e2e-"));
    const args = ["demo", "--port", String(port), "--dir", dir];
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, HOME: dir, RUST_LOG: process.env.RUST_LOG ?? "info" },
    });
    const demo = new Demo(`http://127.0.0.1:${port}`, dir, child);
    try {
      await demo.until("the program answers", 60, async () => (await fetch(`${demo.url}/healthz`)).ok);
      await demo.until("preprod has been deployed", 90, async () => Object.keys(await demo.versions("preprod")).length > 0);
      return demo;
    } catch (error) {
      await demo.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.pid !== undefined) {
      const ended = new Promise((resolve) => this.process.once("exit", resolve));
      this.process.kill("SIGTERM");
      const late = sleep(10_000).then(() => this.process.kill("SIGKILL"));
      await Promise.race([ended, late]);
    }
    rmSync(this.dir, { recursive: true, force: true });
  }

  /// What the program has said, for the report of a failure.
  log(): string {
    return this.output;
  }

  async json(path: string): Promise<any> {
    const response = await fetch(this.url + path);
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /// The version of every service that an environment runs.
  async versions(environment: string): Promise<Versions> {
    const environments: any[] = (await this.json("/api/environments")).environments;
    const services: any[] = environments.find((one) => one.name === environment)?.services ?? [];
    return Object.fromEntries(services.map((one) => [one.name, one.version]));
  }

  async until(what: string, seconds: number, holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    let last: unknown;
    while (Date.now() < deadline) {
      if (this.process.exitCode !== null) throw new Error(`the demo has ended with ${this.process.exitCode}:\n${this.output}`);
      try {
        if (await holds()) return;
      } catch (error) {
        last = error;
      }
      await sleep(200);
    }
    throw new Error(`not within ${seconds} s: ${what} (${last ?? "no error"})\n${this.output}`);
  }

  /// Writes the env file of an environment and commits it.
  commit(environment: string, edit: (text: string) => string, message: string): void {
    const repository = join(this.dir, "homelab");
    const file = join("env", `.env.${environment}`);
    const path = join(repository, file);
    writeFileSync(path, edit(readFileSync(path, "utf8")));
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", repository, "-c", "user.name=Robin", "-c", "user.email=robin@example.org", ...args], {
        stdio: "pipe",
      });
    git("add", file);
    git("commit", "--quiet", "--message", message);
  }

  /// Services whose version stands in the env file as `NAME=version`, with the version that comes next.
  async bumps(count: number): Promise<{ service: string; from: string; to: string; edit: (text: string) => string }[]> {
    const text = readFileSync(join(this.dir, "homelab", "env", ".env.preprod"), "utf8");
    const bumps = [];
    for (const [service, from] of Object.entries(await this.versions("preprod"))) {
      const to = next(from);
      const line = text.split("\n").find((line) => line.replace(/["']/g, "").endsWith(`=${from}`));
      const shared = text.split("\n").filter((line) => line.replace(/["']/g, "").endsWith(`=${from}`)).length > 1;
      if (!line || shared || to === from) continue;
      bumps.push({ service, from, to, edit: (text: string) => text.replace(line, line.replace(from, to)) });
      if (bumps.length === count) break;
    }
    if (bumps.length < count) throw new Error(`only ${bumps.length} services with a version of their own in:\n${text}`);
    return bumps;
  }
}

/// The last number of a version, one higher.
function next(version: string): string {
  return version.replace(/(\d+)(\D*)$/, (_, number: string, rest: string) => String(Number(number) + 1) + rest);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
