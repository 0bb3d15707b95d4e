"""A world to measure `serve` in: a repository, a simulated Engine in a process of its own, a history of any length."""

import hashlib
import json
import pathlib
import random
import signal
import sqlite3
import subprocess
import time

from bench_lib import Program, free_port, git

STABILITY_S = 2
ENVIRONMENTS = ("preprod", "prod")
EVIDENCE = {"failing_task": None, "log_lines": [], "old_tasks_serve": False, "tasks": "1/1 running"}


class World:
    """A repository with so many services, and an Engine that pretends to run them for both environments."""

    def __init__(self, binary: pathlib.Path, load: pathlib.Path, scratch: pathlib.Path, services: int) -> None:
        self.binary, self.load, self.scratch, self.services = binary, load, scratch, services
        self.socket, self.database = scratch / "engine.sock", scratch / "ledger.db"
        self.repository = scratch / "repository"
        self.engine = subprocess.Popen([load, "engine", self.socket])
        (self.repository / "env").mkdir(parents=True)
        git(self.repository, "init", "--quiet", "--initial-branch=main")
        (self.repository / "docker-swarm-stack.yml").write_text(stack(services))
        self.commit("1.0.0")

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.send_signal(signal.SIGTERM)
        self.engine.wait(10)

    def commit(self, version: str) -> None:
        for name in ENVIRONMENTS:
            (self.repository / "env" / f".env.{name}").write_text(f"VERSION={version}\n")
        git(self.repository, "add", "--all")
        git(self.repository, "commit", "--quiet", "--message", f"Raise everything to {version}")

    def serve(self, **more: str) -> Program:
        port = free_port()
        environment = {
            "HOME": str(self.scratch),
            "GIT_URL": str(self.repository),
            "DOCKER_HOST": f"unix://{self.socket}",
            "DATABASE_PATH": str(self.database),
            "STACK_NAME": "bench",
            "POLL_INTERVAL_SECONDS": "2",
            "STABILITY_SECONDS": str(STABILITY_S),
            "DEPLOYMENT_TIMEOUT_SECONDS": "600",
            "WEB_HOST": "127.0.0.1",
            "WEB_PORT": str(port),
            "AUTH": "none",
            "LOG_LEVEL": "warn",
            **more,
        }
        return Program(self.binary, ["serve"], environment, port)

    def deploy_everywhere(self, program: Program, version: str = "1.0.0") -> None:
        self.wait_for_version(program, "preprod", version)
        program.post("/api/deploy/prod", {"confirm": True})
        self.wait_for_version(program, "prod", version)

    def wait_for_version(self, program: Program, environment: str, version: str) -> None:
        def is_there() -> bool:
            versions = program.versions(environment)
            return len(versions) == self.services and set(versions.values()) == {version}

        program.wait_for(is_there, 300, f"{environment} runs {version}")

    def newest_deployment(self) -> tuple[float, float, float]:
        """When it was accepted, when the Engine had taken the last spec, and when the last verdict was given."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as database:
            moments = database.execute(
                "select started_at, max(at) filter (where entry ->> '$.entry' = 'done'), "
                "max(at) filter (where entry ->> '$.entry' = 'judged') "
                "from attempts join journal on attempt = attempts.id "
                "where attempts.id = (select max(id) from attempts)").fetchone()
        return tuple(moment / 1000 for moment in moments)

    def fill_history(self, rows: int) -> None:
        """While no program runs on the database."""
        fill(self.database, rows, [f"s{number:03}" for number in range(max(self.services, 200))])


def stack(services: int) -> str:
    service = """  s{number:03}:
    image: registry.example.net/team/app-{number}:${{VERSION}}
    environment: {{TZ: Europe/Berlin, NUMBER: '{number}', URL: 'https://s{number}.example.net'}}
    deploy: {{labels: ['traefik.enable=true'], update_config: {{order: start-first, monitor: 1s}}}}
"""
    return "services:\n" + "".join(service.format(number=number) for number in range(services))


def fill(path: pathlib.Path, rows: int, services: list[str], of_each: int = 50) -> None:
    """Deployments of `of_each` services each: most succeed, `system` brings preprod, people bring prod."""
    chance = random.Random(1)
    database = sqlite3.connect(path)
    database.execute("pragma synchronous = off")
    content = json.dumps({"name": "bench", "services": {}, "networks": {}, "secrets": {}, "configs": {}})
    digest = hashlib.sha256(content.encode()).digest()
    database.execute("insert or ignore into stacks (hash, content) values (?, ?)", (digest, content))
    for name in ENVIRONMENTS:
        pairs = [(name, service) for service in services]
        database.executemany("insert or ignore into services (environment, service) values (?, ?)", pairs)
    highest = lambda what: dict(database.execute(f"select {what} from history group by 1"))
    nth, first = database.execute("select coalesce(max(nth), 0), coalesce(max(attempt), 0) from history").fetchone()
    in_environment = highest("environment, max(nth_in_environment)")
    of_service = highest("service, max(nth_of_service)")
    of_both = highest("environment || ' ' || service, max(nth_of_both)")
    began = int(time.time() * 1000) - (rows // of_each + 1) * 60_000
    for number in range(rows // of_each):
        attempt = first + number + 1
        name = chance.choices(ENVIRONMENTS, [7, 3])[0]
        status = chance.choices(["success", "failed", "rolled_back", "cancelled"], [95, 3, 1, 1])[0]
        actor = "system" if name == "preprod" else chance.choice(["anna", "ben", "carla"])
        cause = {"kind": "sync"} if name == "preprod" else {"kind": "promotion", "from": "preprod"}
        sha = hashlib.sha1(str(attempt).encode()).hexdigest()
        started, error = began + number * 60_000, None if status == "success" else "it ends by itself"
        release, plan = {"revision": None, "services": {}}, {"actions": [], "blockers": [], "warnings": []}
        attempts = (attempt, name, status, actor, json.dumps(cause), sha, sha, started, started + 50_000, error, digest,
                    json.dumps(release), json.dumps(plan))
        database.execute(f"insert into attempts (id, environment, status, actor, cause, commit_sha, content_hash, started_at, "
                         f"ended_at, error_message, stack, release, plan) values ({marks(attempts)})", attempts)
        verdict = {"verdict": "succeeded", "stable_seconds": 20} if status == "success" else {
            "verdict": "failed", "reason": "crash_loop", "message": error}
        for service in chance.sample(services, of_each):
            both = f"{name} {service}"
            nth += 1
            for counts, key in ((in_environment, name), (of_service, service), (of_both, both)):
                counts[key] = counts.get(key, 0) + 1
            row = (attempt, name, service, nth, in_environment[name], of_service[service], of_both[both], f"1.{number}.0",
                   sha, actor, status, started, started + 50_000, error, json.dumps(verdict), json.dumps(EVIDENCE), cause["kind"])
            database.execute(f"insert into history (attempt, environment, service, nth, nth_in_environment, nth_of_service, "
                             f"nth_of_both, version, commit_sha, actor, status, started_at, completed_at, error_message, "
                             f"verdict, evidence, kind) values ({marks(row)})", row)
    database.commit()
    database.close()


def marks(values: tuple) -> str:
    return ", ".join("?" * len(values))
