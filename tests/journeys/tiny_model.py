"""A real llama.cpp server over a tiny generated model: real wire, noise for text, no download.

Run as ``python -m tests.journeys.tiny_model DIRECTORY``: it makes the model file there if
it is missing, serves it on a free loopback port, prints the base address on its first
line, and serves until its input closes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import numpy as np

EMBEDDING = 64
HEADS = 4
FEED_FORWARD = 128
LAYERS = 2
CONTEXT = 2048
SPECIAL = ("<|bos|>", "<|eos|>", "<|pad|>")
MODEL_NAME = "tiny-random"
CHAT_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


def write_model(path: Path, seed: int = 7) -> None:
    """Write a Llama-shaped model with random weights and a byte-level vocabulary."""
    random = np.random.default_rng(seed)
    tokens = _byte_alphabet() + list(SPECIAL)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(MODEL_NAME)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 256 + [3] * len(SPECIAL))
    writer.add_token_merges([f"{tokens[0]} {tokens[1]}"])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(257)
    writer.add_pad_token_id(258)
    writer.add_chat_template(CHAT_TEMPLATE)

    def tensor(name: str, *shape: int) -> None:
        writer.add_tensor(name, random.normal(0, 0.05, shape).astype(np.float32))

    def ones(name: str) -> None:
        writer.add_tensor(name, np.ones(EMBEDDING, dtype=np.float32))

    tensor("token_embd.weight", len(tokens), EMBEDDING)
    for layer in range(LAYERS):
        ones(f"blk.{layer}.attn_norm.weight")
        ones(f"blk.{layer}.ffn_norm.weight")
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(f"blk.{layer}.{part}.weight", EMBEDDING, EMBEDDING)
        tensor(f"blk.{layer}.ffn_gate.weight", FEED_FORWARD, EMBEDDING)
        tensor(f"blk.{layer}.ffn_up.weight", FEED_FORWARD, EMBEDDING)
        tensor(f"blk.{layer}.ffn_down.weight", EMBEDDING, FEED_FORWARD)
    ones("output_norm.weight")
    tensor("output.weight", len(tokens), EMBEDDING)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _byte_alphabet() -> list[str]:
    """Return the printable stand-ins for the 256 bytes that byte-level BPE uses."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in kept}
    shifted = (byte for byte in range(256) if byte not in letters)
    letters |= {byte: chr(256 + offset) for offset, byte in enumerate(shifted)}
    return [letters[byte] for byte in range(256)]


def serve(directory: Path) -> None:
    """Serve the model until standard input closes."""
    import xllamacpp

    path = directory / f"{MODEL_NAME}.gguf"
    if not path.exists():
        write_model(path)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = CONTEXT
    params.n_parallel = 2
    params.cpuparams.n_threads = 1
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.model_alias = {MODEL_NAME}
    server = xllamacpp.Server(params)
    print(f"{server.listening_address}/v1", flush=True)  # noqa: T201  the contract with the test
    sys.stdin.read()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
