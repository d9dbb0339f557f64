"""The house rules of docker-compose.yml. Run by scripts/check-compose.

    python3 compose-rules.py FOLDER ENV_FILE

FOLDER holds docker-compose.yml; ENV_FILE is what scripts/compose-env writes.
Prints every broken rule, one a line, and exits with 1 when there is one.
"""

import pathlib
import re
import sys

import yaml

TOP_KEYS = {"services", "volumes"}
# A key that is not here is a spelling mistake or new: add it on purpose.
SERVICE_KEYS = {
    "build", "cap_add", "cap_drop", "command", "cpus", "depends_on", "environment", "healthcheck",
    "image", "logging", "mem_limit", "ports", "read_only", "restart", "security_opt", "shm_size",
    "stop_grace_period", "tmpfs", "user", "volumes",
}
HEALTH_KEYS = {"test", "interval", "timeout", "retries", "start_period"}
LOOPBACK_PORT = re.compile(r"127\.0\.0\.1:\d+:\d+")
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|KEY|CREDENTIAL", re.IGNORECASE)
URL_WITH_PASSWORD = re.compile(r"://[^/@\s]*:([^@\s]*)@")
VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)(:\?[^}]+)?\}")
REQUIRED_VARIABLE = re.compile(r"\$\{[A-Z_][A-Z0-9_]*:\?[^}]+\}")


def duplicate_keys(node, path=""):
    """Yields the path of every key that stands twice in its mapping; PyYAML keeps the last, silently."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            here = f"{path}.{key.value}".lstrip(".")
            if key.value in seen:
                yield here
            seen.add(key.value)
            yield from duplicate_keys(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from duplicate_keys(value, path)


def service_rules(service, services, volumes):
    """Yields one sentence for every rule that one service breaks."""
    for key in sorted(service.keys() - SERVICE_KEYS):
        yield f"unknown key {key!r}"
    if not (service.get("image") or service.get("build")):
        yield "has neither image nor build"
    image = service.get("image")
    if image and not service.get("build") and (":" not in image or image.endswith(":latest")):
        yield f"image {image!r} has no fixed version"
    yield from health_rules(service.get("healthcheck"))
    for limit in ("mem_limit", "cpus"):
        if not service.get(limit):
            yield f"has no {limit}"
    if service.get("read_only") is not True:
        yield "its root file system is writable: read_only: true"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "lacks security_opt no-new-privileges:true"
    if service.get("cap_drop") != ["ALL"]:
        yield "keeps capabilities: cap_drop: [ALL]"
    if service.get("cap_add"):
        yield "adds capabilities"
    user = str(service.get("user", ""))
    # What we build names its user in the Dockerfile.
    if not (service.get("build") or re.fullmatch(r"[1-9]\d*:\d+", user)):
        yield f"user {user!r} is not of the form UID:GID, or is root"
    for port in service.get("ports", []):
        if not (isinstance(port, str) and LOOPBACK_PORT.fullmatch(port)):
            yield f"port {port!r} is not of the form 127.0.0.1:HOST:CONTAINER"
    yield from dependency_rules(service.get("depends_on", {}), services)
    for volume in service.get("volumes", []):
        source = str(volume).split(":")[0]
        if not source.startswith(("./", "/")) and source not in volumes:
            yield f"volume {source!r} is not declared"


def health_rules(check):
    """Yields what is wrong with a health check."""
    if not isinstance(check, dict):
        yield "has no healthcheck"
        return
    for key in sorted(check.keys() - HEALTH_KEYS):
        yield f"unknown key {key!r} in healthcheck"
    for key in sorted(HEALTH_KEYS - check.keys()):
        yield f"healthcheck has no {key}"
    test = check.get("test")
    if not (isinstance(test, list) and len(test) > 1 and test[0] in ("CMD", "CMD-SHELL")):
        yield "healthcheck.test is not a list that starts with CMD or CMD-SHELL"


def dependency_rules(dependencies, services):
    """Yields what is wrong with depends_on: each one exists and is waited for until healthy."""
    if not isinstance(dependencies, dict):
        yield "depends_on must give each one a condition"
        return
    for other, how in dependencies.items():
        if other not in services:
            yield f"depends on {other!r}, which does not exist"
        if how != {"condition": "service_healthy"}:
            yield f"depends on {other!r} without condition: service_healthy"


def secret_rules(environment):
    """Yields every secret that stands in the text, or has a default."""
    if not isinstance(environment, dict):
        yield "environment must be a mapping"
        return
    for name, value in environment.items():
        value = str(value)
        if SECRET_NAME.search(name) and not REQUIRED_VARIABLE.search(value):
            yield f"{name} is a literal: take it from .env, ${{{name}:?what to do}}"
        # The message of a variable may hold any character, so it must not take part in the search.
        plain = VARIABLE.sub(lambda found: "VARIABLE" if found[2] else "", value)
        url = URL_WITH_PASSWORD.search(plain)
        if url and url[1] != "VARIABLE":
            yield f"{name} holds a password: take it from .env"


def variable_rules(text, env_text):
    """Yields variables without an error text, or that scripts/compose-env and the file disagree on."""
    asked = set()
    for found in re.finditer(r"\$\{?\w+", text):
        whole = REQUIRED_VARIABLE.match(text, found.start())
        if whole is None:
            yield f"{found[0]} may be empty or has a default: write ${{NAME:?what to do}}"
        else:
            asked.add(VARIABLE.match(whole[0])[1])
    written = {
        line.split("=")[0] for line in env_text.splitlines() if line and not line.startswith("#")
    }
    for name in sorted(asked - written):
        yield f"{name} is not written by scripts/compose-env"
    for name in sorted(written - asked):
        yield f"scripts/compose-env writes {name}, which nothing uses"


def prometheus_rules(folder, services):
    """Yields scrape targets that are no service of the file."""
    config = yaml.safe_load((folder / "deploy" / "prometheus.yml").read_text())
    targets = [
        target
        for job in config["scrape_configs"]
        for static in job["static_configs"]
        for target in static["targets"]
    ]
    if not targets:
        yield "scrapes nothing"
    for target in targets:
        host = target.rsplit(":", 1)[0]
        if host != "127.0.0.1" and host not in services:
            yield f"target {target!r} is no service of docker-compose.yml"
    scraped = {target.rsplit(":", 1)[0] for target in targets}
    for name in sorted(nodes_of(services) - scraped):
        yield f"does not scrape {name}"


def image_rules(folder):
    """Yields what is wrong with the user of the image that we build."""
    users = re.findall(r"^USER (.+)$", (folder / "Dockerfile").read_text(), re.MULTILINE)
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        yield "the image runs as root: USER UID:GID"


def nodes_of(services):
    """The names of the shop's nodes."""
    return {name for name, service in services.items() if service.get("command") == ["serve"]}


def balancer_rules(folder, services):
    """Yields nodes of the shop that the balancer does not know, and the other way round."""
    nodes = nodes_of(services)
    environment = services.get("balancer", {}).get("environment", {})
    known = {
        str(value).split(":")[0] for name, value in environment.items() if name.startswith("NODE_")
    }
    if len(nodes) < 2:
        yield "fewer than two nodes of the shop"
    for name in sorted(nodes ^ known):
        yield f"{name} is a node or is known to the balancer, but not both"
    config = (folder / "ops" / "haproxy" / "haproxy.cfg").read_text()
    for name in re.findall(r'"\$\{(\w+)\}"', config):
        if name not in environment:
            yield f"haproxy.cfg asks for {name}, which the balancer is not given"


def problems(folder, env_text):
    """Yields one line for every broken rule."""
    text = (folder / "docker-compose.yml").read_text()
    for key in duplicate_keys(yaml.compose(text)):
        yield f"docker-compose.yml: {key} stands twice"
    document = yaml.safe_load(text)
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        yield "docker-compose.yml: has no services"
        return
    for key in document:
        if key not in TOP_KEYS and not key.startswith("x-"):
            yield f"docker-compose.yml: unknown key {key!r}"
    services, volumes = document["services"], document.get("volumes") or {}
    for name, service in services.items():
        if not isinstance(service, dict):
            yield f"{name}: is no mapping"
            continue
        for problem in service_rules(service, services, volumes):
            yield f"{name}: {problem}"
        for volume in service.get("volumes", []):
            source = str(volume).split(":")[0]
            if source.startswith("./") and not (folder / source).exists():
                yield f"{name}: mounts {source}, which is not there"
        for problem in secret_rules(service.get("environment", {})):
            yield f"{name}: {problem}"
    for problem in variable_rules(text, env_text):
        yield f"docker-compose.yml: {problem}"
    for problem in image_rules(folder):
        yield f"Dockerfile: {problem}"
    for problem in balancer_rules(folder, services):
        yield f"balancer: {problem}"
    for problem in prometheus_rules(folder, services):
        yield f"deploy/prometheus.yml: {problem}"


def main():
    """Prints the problems; the exit code says whether there was one."""
    folder, env_file = (pathlib.Path(argument) for argument in sys.argv[1:3])
    try:
        found = list(problems(folder, env_file.read_text()))
    except (yaml.YAMLError, OSError, KeyError, TypeError) as error:
        found = [f"cannot be read: {type(error).__name__}: {error}"]
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
