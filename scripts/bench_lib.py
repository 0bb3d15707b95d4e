"""What the benchmark scripts share: the program under test, and tables."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent


def find_binary() -> pathlib.Path:
    """The program named on the command line, else the release build, which is made if it is not there."""
    if len(sys.argv) > 1:
        return pathlib.Path(sys.argv[1]).resolve()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    binary = target / "release" / "release-manager"
    if not binary.exists():
        print("no release build yet: making one, 15 minutes or more on 2 cores", file=sys.stderr)
        subprocess.run([ROOT / "scripts" / "build", "--release"], check=True)
    return binary


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def table(rows: list[tuple[str, str]], heads: tuple[str, str] = ("what", "measured")) -> None:
    print(f"| {heads[0]} | {heads[1]} |\n| --- | --- |")
    for name, value in rows:
        print(f"| {name} | {value} |", flush=True)


def percentile(times: list[float], percent: int) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]


def run(command: list, environment: dict[str, str] | None = None, **more) -> str:
    done = subprocess.run(command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command[:6]))} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def git(directory: pathlib.Path, *arguments: str) -> None:
    who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    run(["git", "-C", directory, *who, *arguments])


class Program:
    """The program with these arguments, ended when the block is left. It listens on `self.port`."""

    def __init__(self, binary: pathlib.Path, arguments: list, environment: dict[str, str], port: int) -> None:
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.log = tempfile.TemporaryFile()
        environment = {"PATH": os.environ["PATH"], **environment}
        self.began = time.monotonic()
        self.process = subprocess.Popen([binary, *arguments], stdout=self.log, stderr=self.log, env=environment)

    def __enter__(self):
        try:
            self.wait_for(lambda: self.get("/healthz"), 120, "the program answers", pause=0.002)
        except BaseException:
            self.__exit__()
            raise
        self.started_after = time.monotonic() - self.began
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def get(self, path: str, **headers: str) -> bytes:
        request = urllib.request.Request(self.url + path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def post(self, path: str, body: dict) -> dict:
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def versions(self, environment: str) -> dict[str, str]:
        return json.loads(self.get("/api/environments"))[environment]["services"]

    def memory(self, field: str = "VmRSS") -> float:
        """In MiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024

    def wait_for(self, holds, seconds: float, what: str, pause: float = 0.05) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if holds():
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(pause)
        self.log.seek(0)
        sys.exit(f"not within {seconds} s: {what}\n{self.log.read().decode(errors='replace')[-3000:]}")
