"""A program that calls a model twice, once as a stream, and not a word about traces."""

from __future__ import annotations

import os

from openai import OpenAI

client = OpenAI()
asked = {"model": os.environ["MODEL"], "messages": [{"role": "user", "content": "Say hello."}]}
print(client.chat.completions.create(**asked).choices[0].message.content)
pieces = client.chat.completions.create(**asked, stream=True)
print("".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices))
