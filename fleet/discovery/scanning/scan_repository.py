#!/usr/bin/env python3
"""Look for agents, model ids and vendor keys in a repository. One file, standard library only.

Runs where the repository is (CI, a laptop) and leaves with a report and nothing else: no
line of code, and of a key that stands in code only its kind, a keyed fingerprint and its last
two characters. Python 3.9 or newer.

    python3 scan_repository.py . --out report.json
    UNSPRAWL_TOKEN=… python3 scan_repository.py . --server https://unsprawl.example
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

FORMAT = "unsprawl.repository/1"
MAX_FILES = 1_000_000
MAX_FILE_BYTES = 2 * 1024 * 1024
MOST = {"signs": 500, "models": 2000, "keys": 500, "people": 10, "owners": 20}
SKIPPED = {
    ".git", ".hg", ".svn", "node_modules", ".venv", "venv", "__pycache__", ".tox", ".mypy_cache",
    ".ruff_cache", ".pytest_cache", "site-packages", ".gradle", ".terraform", ".next", ".cache",
}  # fmt: skip
KEYS = (
    ("openai-project", "sk-proj-[A-Za-z0-9_-]{16,400}"),
    ("openai-service-account", "sk-svcacct-[A-Za-z0-9_-]{16,400}"),
    ("openai-admin", "sk-admin-[A-Za-z0-9_-]{16,400}"),
    ("anthropic-admin", "sk-ant-admin[0-9]{0,2}-[A-Za-z0-9_-]{16,400}"),
    ("anthropic", "sk-ant-api[0-9]{2}-[A-Za-z0-9_-]{16,400}"),
    ("openrouter", "sk-or-v1-[A-Za-z0-9]{32,200}"),
    ("openai", "sk-[A-Za-z0-9]{40,64}"),
    ("google", "AIza[0-9A-Za-z_-]{35}"),
    ("groq", "gsk_[A-Za-z0-9]{20,200}"),
    ("xai", "xai-[A-Za-z0-9]{20,200}"),
    ("replicate", "r8_[A-Za-z0-9]{20,100}"),
    ("huggingface", "hf_[A-Za-z0-9]{20,100}"),
    ("unsprawl", "usp_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{40,60}"),
)
_KEY = re.compile(r"(?<![A-Za-z0-9_-])(?:" + "|".join(f"({pattern})" for _, pattern in KEYS) + ")")
# What is shown or sent is looked at more strictly: a key stays one behind a letter or a dash.
_ANYWHERE = re.compile("|".join(pattern for _, pattern in KEYS))
_QUICK_KEY = re.compile("sk-|AIza|gsk_|xai-|r8_|hf_|usp_")
_DISTINCT = 8  # of the last characters of a key: fewer is a placeholder
DEPENDENCIES = {
    "openai": "openai", "anthropic": "anthropic", "openai-agents": "openai-agents",
    "langgraph": "langgraph", "langchain": "langchain", "langchain-openai": "langchain",
    "langchain-anthropic": "langchain", "crewai": "crewai", "autogen-agentchat": "autogen",
    "pyautogen": "autogen", "pydantic-ai": "pydantic-ai", "pydantic-ai-slim": "pydantic-ai",
    "google-adk": "google-adk", "google-genai": "google-genai", "litellm": "litellm",
    "claude-agent-sdk": "claude-agent-sdk", "smolagents": "smolagents",
    "llama-index": "llama-index", "llama-index-core": "llama-index",
    "semantic-kernel": "semantic-kernel", "mistralai": "mistralai", "cohere": "cohere",
    "ai": "vercel-ai", "@openai/agents": "openai-agents",
}  # fmt: skip
_SCOPES = {"@langchain/": "langchain", "@anthropic-ai/": "anthropic", "@ai-sdk/": "vercel-ai"}
_LOCKS = {
    "poetry.lock", "uv.lock", "pipfile.lock", "package-lock.json", "yarn.lock", "pnpm-lock.yaml",
    "pdm.lock",
}  # fmt: skip
_ASSISTANTS = {
    "agents.md", "claude.md", ".mcp.json", "mcp.json", "claude_desktop_config.json",
    "copilot-instructions.md", "copilot-setup-steps.yml",
}  # fmt: skip
_ASSISTANT_ENDS = (".cursor/mcp.json", ".claude/settings.json", ".codex/config.toml")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{1,120}")
_FAMILY = re.compile(
    r"(?:gpt-(?:[3-9]|image|oss|realtime|audio)|chatgpt-|o[1-9]-|claude-(?:[1-9]|opus|sonnet|haiku"
    r"|instant)|gemini-[1-9]|text-embedding-|dall-e-|whisper-|mistral-|mixtral-|codestral-"
    r"|command-|llama-?[2-9]|deepseek-|grok-[1-9]|nova-)[a-z0-9.:@-]*"
)
_REGION = re.compile(r"^(?:us|eu|apac|jp|au|global|us-gov)\.(?=[a-z0-9]+\.)")
_PLATFORMS = re.compile(
    r"^(?:azure_ai|azure|bedrock|vertex_ai|vertex|openai|anthropic|google|gemini|mistral|models"
    r"|openrouter|litellm|groq|xai|cohere|google_genai|google-gla|openai-chat)[/:]"
)
_WEAK_FOLDERS = {
    "test", "tests", "__tests__", "spec", "specs", "doc", "docs", "example", "examples", "fixtures",
    "testdata", "benchmarks",
}  # fmt: skip
_WEAK_ENDS = (".md", ".rst", ".adoc", ".txt", ".changes")
_COMMENTS = ("#", "//", "*", "/*", "<!--", "--", ";", '"""', "'''")
_OWNER = re.compile(r"(?<!\S)(@[A-Za-z0-9_./-]{2,100}|[^\s@]{1,64}@[^\s@]{3,190})(?!\S)")


class File(NamedTuple):
    """One file: where it stands, and a way to its first bytes."""

    path: str
    read: Callable[[int], bytes]


class Catalogue:
    """Ids of models, each with the id it is known by; without one, families are known."""

    def __init__(self, names: dict[str, str] | None = None) -> None:
        self.names = {name.lower(): ident for name, ident in (names or {}).items()}

    def find(self, token: str, *, is_quoted: bool) -> str:
        """Return the id that a word names, the longest that is known, or an empty text."""
        word = token.lower().rstrip(".:/@-")
        while word:
            if word in self.names and (is_quoted or _is_telling(word)):
                return self.names[word]
            bare = _REGION.sub("", word)
            if bare != word and bare in self.names:
                return self.names[bare]
            cut = _PLATFORMS.sub("", word)
            if cut == word:
                break
            word = cut
        has_digit = any(each.isdigit() for each in word)
        return word if is_quoted and has_digit and _FAMILY.fullmatch(word) else ""


def _is_telling(word: str) -> bool:
    # "o1" or "nova" stand in any text; only in quotes do they name a model.
    return len(word) >= 5 and any(c.isdigit() for c in word) and ("-" in word or "." in word)


def redacted(text: str) -> str:
    """Return a text in which no key of a known form stands."""
    return _ANYWHERE.sub("[key]", text) if _QUICK_KEY.search(text) else text


class Scan:
    """The report as it grows. Everything that enters it is free of keys."""

    def __init__(self, repository: str, catalogue: Catalogue, fingerprint_key: bytes) -> None:
        self._catalogue, self._key = catalogue, fingerprint_key
        self.files = 0
        self.skipped: Counter[str] = Counter()
        self._found: dict[str, list[dict[str, Any]]] = {"signs": [], "models": [], "keys": []}
        self._left_out: Counter[str] = Counter()
        self._seen: set[tuple[Any, ...]] = set()
        self.people: list[dict[str, Any]] = []
        self.owners: list[str] = []
        self.commit = ""
        self._crews: dict[str, set[str]] = {}
        self.repository = _without_password(repository)

    def take(self, file: File) -> None:
        """Look at one file."""
        if self.files >= MAX_FILES:
            self.skipped["too many files"] += 1
            return
        self.files += 1
        try:
            raw = file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError, EOFError):
            self.skipped["unreadable"] += 1
            return
        if len(raw) > MAX_FILE_BYTES:
            self.skipped["cut at 2 MiB"] += 1
            raw = raw[:MAX_FILE_BYTES]
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = raw.decode("utf-16", "replace")  # as some editors and shells save a text
        elif b"\0" in raw[:8192]:
            self.skipped["binary"] += 1
            return
        else:
            text = raw.decode("utf-8", "replace")
        path = redacted(file.path)[:300]
        self._signs(path, text)
        self._keys(path, text)
        self._models(path, text)

    def report(self) -> dict[str, Any]:
        """Return the report."""
        for folder, names in self._crews.items():
            if {"agents", "tasks"} <= names:
                self._sign("crewai", f"{folder}/agents.yaml".lstrip("/"), 0.9)
        return {
            "format": FORMAT,
            "repository": redacted(self.repository)[:300],
            "commit": self.commit[:64],
            "files": self.files,
            "skipped": dict(self.skipped),
            "left_out": dict(self._left_out),
            "is_keyed": bool(self._key),
            "people": self.people[: MOST["people"]],
            "owners": self.owners[: MOST["owners"]],
            **self._found,
        }

    def _add(self, kind: str, row: dict[str, Any]) -> None:
        mark = (kind, *row.values())
        if mark in self._seen:
            return
        if len(self._found[kind]) >= MOST[kind]:
            self._left_out[kind] += 1
            return
        self._seen.add(mark)
        self._found[kind].append(row)

    def _sign(self, kind: str, path: str, confidence: float, name: object = "") -> None:
        said = redacted(name)[:120] if isinstance(name, str) else ""
        row = {"kind": kind, "path": path, "confidence": confidence, "name": said.strip()}
        self._add("signs", row)

    def _keys(self, path: str, text: str) -> None:
        if not _QUICK_KEY.search(text):
            return
        for found in _KEY.finditer(text):
            value = found[0]
            if len(set(value[-20:])) < _DISTINCT:
                continue
            row = {
                "kind": KEYS[(found.lastindex or 1) - 1][0],
                "path": path,
                "line": text.count("\n", 0, found.start()) + 1,
                "fingerprint": self._fingerprint(value),
                "tail": value[-2:],
            }
            self._add("keys", row)

    def _fingerprint(self, value: str) -> str:
        if not self._key:
            return ""
        return hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()

    def _models(self, path: str, text: str) -> None:
        is_weak_file = _is_weak_path(path)
        if path.rsplit("/", 1)[-1].lower() in _LOCKS:
            return
        for number, line in enumerate(text.split("\n"), 1):
            for found in _TOKEN.finditer(line):
                before = line[found.start() - 1 : found.start()]
                after = line[found.end() : found.end() + 1]
                is_quoted = before in {'"', "'", "`"} and after in {'"', "'", "`"}
                ident = self._catalogue.find(found[0], is_quoted=is_quoted)
                if not ident or redacted(found[0]) != found[0]:
                    continue
                weak = is_weak_file or _is_comment(line, found.start())
                self._add("models", {"id": ident[:120], "path": path, "line": number, "weak": weak})

    def _signs(self, path: str, text: str) -> None:
        name = path.rsplit("/", 1)[-1].lower()
        folder = path.rpartition("/")[0]
        for look in (_declared, _assistant, _document, _packages):
            for kind, confidence, said in look(path, name, text):
                self._sign(kind, path, confidence, said)
        is_crew = name in {"agents.yaml", "agents.yml", "tasks.yaml", "tasks.yml"}
        if (
            is_crew
            and folder.rsplit("/", 1)[-1] == "config"
            and re.search(r"^[ \t]+\w+:", text, re.M)
        ):
            self._crews.setdefault(folder, set()).add(name.split(".")[0])
        if name == "codeowners":
            for line in text.split("\n"):
                if not line.lstrip().startswith("#"):
                    self.owners += _OWNER.findall(redacted(line))
            self.owners = list(dict.fromkeys(self.owners))[: MOST["owners"]]


Signs = Iterator[tuple[str, float, object]]


def _declared(path: str, name: str, text: str) -> Signs:
    if name in {"agent.yaml", "agent.yml", "agent.json"} and "unsprawl.dev/" in text:
        yield "declared", 1.0, _yaml_value(text, "name")
    is_catalog = name in {"catalog-info.yaml", "catalog-info.yml"}
    if is_catalog and re.search(r"^[ \t]*type:[ \t]*[\"']?ai-agent\b", text, re.M):
        yield "declared", 1.0, _yaml_value(text, "name")


def _assistant(path: str, name: str, text: str) -> Signs:
    if name in _ASSISTANTS or path.endswith(_ASSISTANT_ENDS) or ".cursor/rules" in path:
        yield "coding-assistant", 0.5, ""


def _document(path: str, name: str, text: str) -> Signs:
    if name.endswith((".mcs.yml", ".mcs.yaml")):
        yield "copilot-studio", 0.9, _yaml_value(text, "displayName")
    elif name.endswith((".yaml", ".yml")):
        if name in {"root_agent.yaml", "root_agent.yml"} or re.search(
            r"^agent_class:[ \t]*[\"']?(?:Llm|Loop|Sequential|Parallel)Agent", text, re.M
        ):
            yield "google-adk", 0.9, _yaml_value(text, "name")
        elif _has_root_agent(text) and re.search(r"^[ \t]+model:[ \t]*\S", text, re.M):
            yield "cagent", 0.9, ""
    elif name.endswith(".json") and any(mark in text for mark in _MARKS):
        yield from _json_document(name, text)


_MARKS = ('"graphs"', "n8n-nodes-langchain", "declarative-agent")


def _has_root_agent(text: str) -> bool:
    """Tell whether the mapping ``agents`` has a ``root``, line by line: a pattern could go back."""
    inside = False
    for line in text.split("\n"):
        if line[:1] in {" ", "\t"}:
            if inside and line.strip() == "root:":
                return True
        elif line.strip() and not line.startswith("#"):
            inside = line.startswith("agents:")
    return False


def _json_document(name: str, text: str) -> Signs:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if '"@n8n/n8n-nodes-langchain.' in text:
            yield "n8n", 0.8, ""
        return
    if not isinstance(value, dict):
        return
    graphs = value.get("graphs")
    if name == "langgraph.json" and isinstance(graphs, (dict, list)):
        yield "langgraph", 0.95, ", ".join(map(str, graphs)) if isinstance(graphs, dict) else ""
    nodes = value.get("nodes")
    if isinstance(nodes, list):
        types = [each.get("type") for each in nodes if isinstance(each, dict)]
        if any(str(each).startswith("@n8n/n8n-nodes-langchain.") for each in types):
            yield "n8n", 0.95, value.get("name")
    if "copilot/declarative-agent/" in str(value.get("$schema")):
        yield "declarative-agent", 0.95, value.get("name")


def _packages(path: str, name: str, text: str) -> Signs:
    for package in sorted(_depended(name, text)):
        kind = DEPENDENCIES.get(package) or next(
            (each for scope, each in _SCOPES.items() if package.startswith(scope)), ""
        )
        if kind:
            yield f"dependency:{kind}", 0.4 if name in _LOCKS else 0.6, package


def _depended(name: str, text: str) -> set[str]:
    if name == "package.json":
        return _of_package_json(text)
    if name in {"package-lock.json", "yarn.lock", "pnpm-lock.yaml"}:
        return {each for each in _wanted_packages() if f"node_modules/{each}\"" in text
                or f'"{each}@' in text or f"'{each}@" in text or f"/{each}@" in text}  # fmt: skip
    if name in _LOCKS or name == "pipfile":
        return set(re.findall(r'^name = "([\w.-]+)"', text, re.M)) | set(
            re.findall(r'^[ \t]*"?([\w.-]+)"?[ \t]*[=:][ \t]*[{"]', text, re.M)
        )
    if name == "pyproject.toml" or name in {"setup.py", "setup.cfg"}:
        words = _QUOTED.findall(text) + _LISTED.findall(text)
        return {_normal(each) for each in words}
    if re.fullmatch(r"(?:requirements|constraints)[\w.-]*\.(?:txt|in)", name):
        return {_normal(each) for each in _REQUIRED.findall(text)}
    return set()


# Each looks at one line, and at no more of it than a requirement has: a file may be written to
# make a pattern that goes on over lines go back for hours.
_NAME = r"[A-Za-z0-9._-]{1,200}"
_QUOTED = re.compile(rf"[\"']({_NAME})(?:[ \t\[<>=~!;@][^\"'\n]{{0,200}})?[\"']")
_LISTED = re.compile(rf"^[ \t]*({_NAME})[ \t]*(?:=[ \t]*[\"'{{]|[<>=~!]=|$)", re.M)
_REQUIRED = re.compile(rf"^[ \t]*({_NAME})[ \t]*(?:\[|[<>=~!;@#]|$)", re.M)


def _wanted_packages() -> list[str]:
    return [name for name in DEPENDENCIES if name.startswith("@") or name in {"ai", "openai"}]


def _of_package_json(text: str) -> set[str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return set()
    found: set[str] = set()
    if isinstance(value, dict):
        for part in ("dependencies", "devDependencies", "optionalDependencies"):
            listed = value.get(part)
            if isinstance(listed, dict):
                found |= {str(each) for each in listed}
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _yaml_value(text: str, key: str) -> str:
    found = re.search(rf"^[ \t]*[\"']?{key}[\"']?:[ \t]*[\"']?([^\n\"'#]{{1,120}})", text, re.M)
    return found[1].strip() if found else ""


def _is_weak_path(path: str) -> bool:
    parts = path.lower().split("/")
    name = parts[-1]
    if name.startswith(("requirements", "constraints")):
        return False
    return (
        bool(_WEAK_FOLDERS & set(parts[:-1]))
        or name.endswith(_WEAK_ENDS)
        or name.startswith("test_")
        or "_test." in name
        or ".test." in name
        or ".spec." in name
    )


def _is_comment(line: str, at: int) -> bool:
    if line.lstrip().startswith(_COMMENTS):
        return True
    before = line[:at]
    return " #" in before or ("//" in before and "://" not in before)


def _without_password(name: str) -> str:
    if "://" not in name:
        return name
    try:
        parts = urlsplit(name)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "unreadable address"
    return f"{parts.scheme}://{host}{port}{parts.path}"


def files_below(root: Path, skipped: Counter[str]) -> Iterator[File]:
    """Yield the regular files below a folder; links are not followed."""
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(each for each in folders if each not in SKIPPED)
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_symlink() or not path.is_file():
                skipped["links and others"] += 1
                continue
            yield File(path.relative_to(root).as_posix(), _reader(path))


def _reader(path: Path) -> Callable[[int], bytes]:
    def read(most: int) -> bytes:
        with path.open("rb") as file:
            return file.read(most)

    return read


def git_facts(root: Path) -> tuple[str, str, list[dict[str, Any]]]:
    """Return the address, the commit and the authors, as far as git tells."""
    if not (root / ".git").exists():
        return "", "", []
    address = _git(root, "config", "--get", "remote.origin.url").strip()
    commit = _git(root, "rev-parse", "HEAD").strip()
    authors = Counter(_git(root, "log", "-n", "500", "--format=%aE").split())
    people = [
        {"email": mail[:254], "commits": n} for mail, n in authors.most_common(MOST["people"])
    ]
    return address, commit, people


def _git(root: Path, *words: str) -> str:
    # What a repository configures for itself is not run: it may be anybody's.
    safe = ["-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "-c", "core.pager=cat"]
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *safe, "-C", str(root), *words],  # noqa: S607
            capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def scan(
    files: Iterable[File], repository: str, catalogue: Catalogue, fingerprint_key: bytes = b""
) -> Scan:
    """Look at every file."""
    found = Scan(repository, catalogue, fingerprint_key)
    for file in files:
        found.take(file)
    return found


def scan_folder(
    root: Path, catalogue: Catalogue, *, name: str = "", fingerprint_key: bytes = b""
) -> dict[str, Any]:
    """Return the report of a folder, with what git tells of it."""
    address, commit, people = git_facts(root)
    found = Scan(name or address or root.resolve().name, catalogue, fingerprint_key)
    for file in files_below(root, found.skipped):
        found.take(file)
    found.commit, found.people = commit, people
    return found.report()


def _asked(url: str, token: str, body: bytes | None = None) -> Any:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise SystemExit("The server's address begins with https:// or http://.")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.loads(answer.read(16 * 1024 * 1024))
    except urllib.error.HTTPError as error:
        raise SystemExit(f"The server answered {error.code} for {url}.") from None
    except (OSError, ValueError) as error:
        raise SystemExit(f"No answer from {url}: {type(error).__name__}.") from None


def main(words: list[str] | None = None) -> int:
    """Scan a folder; write or send the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("path", nargs="?", default=".")
    parser.add_argument("--name", default="", help="of the repository; else git's remote")
    parser.add_argument("--server", default="", help="where to send the report (UNSPRAWL_TOKEN)")
    parser.add_argument("--out", default="", help="a file for the report; - for the screen")
    parser.add_argument("--fail-on-keys", action="store_true", help="exit 3 where a key stands")
    given = parser.parse_args(words)
    root = Path(given.path)
    if not root.is_dir():
        raise SystemExit(f"{given.path} is no folder.")
    server, token = given.server.rstrip("/"), os.environ.get("UNSPRAWL_TOKEN", "")
    told: dict[str, Any] = {}
    if server:
        told = _asked(f"{server}/api/v1/discovery/scanner", token)
    report = scan_folder(
        root,
        Catalogue(told.get("models")),
        name=given.name,
        fingerprint_key=bytes.fromhex(told.get("fingerprint_key", "")),
    )
    text = json.dumps(report, indent=2, sort_keys=True)
    if given.out and given.out != "-":
        Path(given.out).write_text(text + "\n", encoding="utf-8")
    if server:
        answer = _asked(f"{server}/api/v1/discovery/repositories", token, text.encode())
        sys.stdout.write(f"{answer.get('title', '')}: {answer.get('summary', '')}\n")
    elif not given.out or given.out == "-":
        sys.stdout.write(text + "\n")
    return 3 if given.fail_on_keys and report["keys"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
