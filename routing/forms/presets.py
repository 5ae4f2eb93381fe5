"""What people usually connect: addresses to begin with, and what each of them needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Preset:
    """One kind of vendor as the form is filled for it."""

    key: str
    title: str
    what: str
    base_url: str
    address_help: str
    secret_help: str
    icon: str = "server"
    auth_scheme: str = "bearer"
    platform: str = ""
    dialect: str = "openai"


PRESETS: Final = (
    Preset(
        "openai",
        "OpenAI",
        "GPT models, by the token.",
        "https://api.openai.com/v1",
        "OpenAI's own address. Accounts held in Europe use https://eu.api.openai.com/v1.",
        "A project key from platform.openai.com, under API keys. It begins with sk-.",
        icon="sparkles",
        platform="openai",
    ),
    Preset(
        "anthropic",
        "Anthropic",
        "Claude models, in Anthropic's own dialect.",
        "https://api.anthropic.com/v1",
        "Anthropic's own address. Agents may call it with the openai client, too: calls are "
        "translated.",
        "A key from console.anthropic.com, under API keys. It begins with sk-ant-.",
        icon="bot",
        auth_scheme="x-api-key",
        platform="anthropic",
        dialect="anthropic",
    ),
    Preset(
        "azure",
        "Azure OpenAI (v1)",
        "Your deployments in Azure.",
        "https://YOUR-RESOURCE.openai.azure.com/openai/v1",
        "Put the name of your resource in place of YOUR-RESOURCE. Models are called by the "
        "names of your deployments.",
        "Key 1 or Key 2 of the resource, in the Azure portal under Keys and Endpoint.",
        icon="building-2",
        platform="azure",
    ),
    Preset(
        "ollama",
        "Ollama",
        "Open models on a machine of yours.",
        "http://127.0.0.1:11434/v1",
        "Where Ollama listens, as seen from the machine that runs the gateway.",
        "Ollama asks for no secret.",
        icon="cpu",
        auth_scheme="none",
    ),
    Preset(
        "vllm",
        "vLLM",
        "Open models on your GPUs.",
        "http://127.0.0.1:8000/v1",
        "Where vLLM's server listens, as seen from the machine that runs the gateway.",
        "What vLLM was started with as --api-key. Without one, choose no secret.",
        icon="gauge",
    ),
    Preset(
        "llama-cpp",
        "llama.cpp",
        "One model, anywhere.",
        "http://127.0.0.1:8080/v1",
        "Where llama-server listens, as seen from the machine that runs the gateway.",
        "What llama-server was started with as --api-key. Without one, choose no secret.",
        icon="terminal",
        auth_scheme="none",
    ),
    Preset(
        "other",
        "Another one",
        "Anything that speaks OpenAI's or Anthropic's API.",
        "",
        "Up to and including the version, such as https://host/v1. What hangs below it the "
        "gateway adds itself.",
        "The key that the vendor gave you.",
        icon="plug",
    ),
)


def preset_named(key: str) -> Preset | None:
    """Return a preset by its key."""
    return next((preset for preset in PRESETS if preset.key == key), None)
