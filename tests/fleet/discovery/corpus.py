"""Small repositories of each kind, labelled, and one that holds nothing. Keys in them are made up.

Keys are put together here, so that no scanner takes these tests for a leak.
"""

from __future__ import annotations

import json
from typing import Final

MIDDLE: Final = "Aq7Zt4Wm9Xc2Vb6Nn1Lk8Jh5Gf3Ds0Po"
KEYS: Final = {
    "openai-project": "sk-" + "proj-" + MIDDLE,
    "openai-service-account": "sk-" + "svcacct-" + MIDDLE,
    "openai-admin": "sk-" + "admin-" + MIDDLE,
    "anthropic": "sk-" + "ant-api03-" + MIDDLE,
    "anthropic-admin": "sk-" + "ant-admin01-" + MIDDLE,
    "google": "AIza" + "Sy" + MIDDLE + "x",
    "groq": "gsk" + "_" + MIDDLE,
    "xai": "xai" + "-" + MIDDLE,
    "replicate": "r8" + "_" + MIDDLE,
    "huggingface": "hf" + "_" + MIDDLE,
}
LABELLED: Final[dict[str, dict[str, str]]] = {
    "declared": {
        "agent.yaml": "apiVersion: unsprawl.dev/v1\nkind: Agent\n"
        "metadata:\n  name: invoice-sorter\n"
    },
    "langgraph": {
        "langgraph.json": json.dumps({"graphs": {"triage": "./g.py:graph"}, "dependencies": ["."]})
    },
    "crewai": {
        "src/crew/config/agents.yaml": "researcher:\n  role: Researcher\n",
        "src/crew/config/tasks.yaml": "research:\n  description: Look\n",
    },
    "google-adk": {"agents/root_agent.yaml": "agent_class: LlmAgent\nname: root\nmodel: x\n"},
    "cagent": {"team.yaml": "version: 2\nagents:\n  root:\n    model: openai/gpt-5\n"},
    "n8n": {
        "flows/export.json": json.dumps(
            {
                "name": "Inbox helper",
                "nodes": [
                    {
                        "type": "@n8n/n8n-nodes-langchain.lmChatOpenAi",
                        "parameters": {"model": {"__rl": True, "value": "gpt-4o"}},
                        "credentials": {"openAiApi": {"id": "1", "name": "OpenAI"}},
                    }
                ],
            }
        )
    },
    "declarative-agent": {
        "appPackage/declarativeAgent.json": json.dumps(
            {
                "$schema": "https://developer.microsoft.com/json-schemas/copilot/"
                "declarative-agent/v1.8/schema.json",
                "version": "v1.8",
                "name": "HR helper",
                "instructions": "Help.",
            }
        )
    },
    "copilot-studio": {"bot/agent.mcs.yml": "kind: Bot\ndisplayName: Help desk\n"},
    "coding-assistant": {"AGENTS.md": "# How to work here\n", ".cursor/mcp.json": "{}"},
    "dependency:openai": {"requirements.txt": "requests\nopenai>=2,<4  # client\n"},
    "dependency:langchain": {
        "package.json": json.dumps({"dependencies": {"@langchain/core": "1"}})
    },
    "dependency:pydantic-ai": {
        "pyproject.toml": '[project]\ndependencies = ["httpx", "pydantic-ai-slim[openai]>=2"]\n'
    },
}
CLEAN: Final = {
    "README.md": "# Sums\nAdds figures. See o1 and nova for what they are not.\n",
    "sums/__init__.py": "def total(figures):\n    return sum(figures)  # sk-ip the zeros\n",
    "package.json": json.dumps({"dependencies": {"left-pad": "1.0.0", "air": "2"}}),
    "requirements.txt": "requests==2.32\nopenair-tools\n",
    "docs/agents.yaml": "people:\n  - travel agents\n",
    "config.json": json.dumps({"graphs": ["sales"], "key": "sk-" + "proj-" + "x" * 40}),
}
