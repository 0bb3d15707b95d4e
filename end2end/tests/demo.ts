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
  private process?: ChildProcess;
  private cookie = "";

  private constructor(
    private readonly port: number,
    readonly dir: string,
    private readonly login: boolean,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /// A demo whose preprod and prod have settled; with `login` one that asks who is there.
  static async start({ login = false } = {}): Promise<Demo> {
    // Short: the path of the Engine's socket has 108 bytes at most.
    const demo = new Demo(await freePort(), mkdtempSync(join(tmpdir(), "rm-e2e-")), login);
    try {
      await demo.run();
      if (login) await demo.logIn();
      await demo.until("preprod has been deployed", 120, async () => {
        // Every service has its verdict a moment before the deployment is closed; only then is this what runs.
        return Object.keys(await demo.versions("preprod")).length > 0;
      });
      return demo;
    } catch (error) {
      await demo.stop();
      throw error;
    }
  }

  /// Starts the program, also again after `halt`: on the same port, with what it left behind.
  async run(): Promise<void> {
    const program = process.env.RELEASE_MANAGER ?? "../target/debug/release-manager";
    this.process = spawn(program, ["demo", "--port", String(this.port), "--dir", this.dir, ...(this.login ? ["--login"] : [])], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, HOME: this.dir, LOG_LEVEL: process.env.LOG_LEVEL ?? "info" },
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.output = (this.output + chunk.toString()).slice(-20_000)));
    }
    await this.until("the program answers", 60, async () => (await fetch(`${this.url}/healthz`)).ok);
  }

  /// Ends the program; what it has written stays.
  async halt(): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const ended = new Promise<true>((resolve) => child.once("exit", () => resolve(true)));
    child.kill("SIGTERM");
    const inTime = await Promise.race([ended, sleep(15_000).then(() => false)]);
    if (!inTime) child.kill("SIGKILL");
    await ended;
  }

  async stop(): Promise<void> {
    await this.halt();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /// Lets this file in, so that it can ask the API.
  private async logIn(): Promise<void> {
    const response = await fetch(`${this.url}/login`, {
      method: "POST",
      redirect: "manual",
      headers: { origin: this.url, "content-type": "application/x-www-form-urlencoded" },
      body: "name=admin&password=demonstration",
    });
    this.cookie = response.headers.getSetCookie().map((cookie) => cookie.split(";")[0]).join("; ");
  }

  /// What the program has said, for the report of a failure.
  log(): string {
    return this.output;
  }

  async json(path: string): Promise<any> {
    const response = await fetch(this.url + path, { headers: { cookie: this.cookie } });
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /// The version of every service that an environment runs.
  async versions(environment: string): Promise<Versions> {
    return (await this.json("/api/environments"))[environment]?.services ?? {};
  }

  async until(what: string, seconds: number, holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    let last: unknown;
    while (Date.now() < deadline) {
      const code = this.process?.exitCode ?? null;
      if (code !== null) throw new Error(`the demo has ended with ${code}:\n${this.output}`);
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
    this.commitFile(join("env", `.env.${environment}`), edit, message);
  }

  /// Writes a file of the repository and commits it.
  commitFile(file: string, edit: (text: string) => string, message: string): void {
    const repository = join(this.dir, "homelab");
    const path = join(repository, file);
    writeFileSync(path, edit(readFileSync(path, "utf8")));
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", repository, "-c", "user.name=Robin", "-c", "user.email=robin@example.org", ...args], {
        stdio: "pipe",
      });
    git("add", file);
    git("commit", "--quiet", "--message", message);
  }

  /// Raises the last number of a service's version in preprod's env file, and commits it.
  async raise(service: string): Promise<Raised> {
    const from = (await this.versions("preprod"))[service] ?? "";
    const to = from.replace(/(\d+)(\D*)$/, (_, number: string, rest: string) => String(Number(number) + 1) + rest);
    const setting = new RegExp(`^${service.toUpperCase()}_VERSION=.*$`, "m");
    if (to === from) throw new Error(`the version of ${service} has no number: \`${from}\``);
    this.commit("preprod", (text) => text.replace(setting, `${service.toUpperCase()}_VERSION=${to}`), `Update ${service} to ${to}`);
    return { from, to };
  }
}

export type Raised = { from: string; to: string };

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
