"""The wire of MCP, by its own SDK: stateless, JSON answers. Imported at the first request.

Importing costs a second and some 60 MB, so nothing imports this module before somebody
speaks MCP. A refusal is a result that says so, with our code and the facts: models read
results, and few clients show them protocol errors.
"""

from __future__ import annotations

import json
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db import connections
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from effects.mcp import tools
from kernel.errors import DomainError
from registry.models import AgentKey

INSTRUCTIONS: Final = (
    "You propose; policy and people decide; the service does what was decided, at most once."
    " Look with list_operations, ask with propose_action, then get_proposal or"
    " wait_for_decision. An answer no is final: do not ask again in other words."
)
KEY: Final = "unsprawl_agent_key"  # in the request's scope, set by the door


def make_manager(most_bytes: int) -> StreamableHTTPSessionManager:
    """Return what answers requests; who asks and from where was checked by the door."""
    server: Server[Any] = Server(
        "unsprawl",
        version="1",
        title="Unsprawl",
        instructions=INSTRUCTIONS,
        on_list_tools=_list_tools,
        on_call_tool=_call_tool,
    )
    return StreamableHTTPSessionManager(
        app=server, json_response=True, stateless=True, max_request_body_size=most_bytes
    )


async def _list_tools(
    _: ServerRequestContext[Any, Any], __: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    return types.ListToolsResult(
        tools=[
            types.Tool(
                name=tool.name,
                title=tool.title,
                description=tool.description,
                input_schema=tool.schema,
                annotations=types.ToolAnnotations(
                    read_only_hint=tool.is_read_only,
                    destructive_hint=False,  # proposing does nothing by itself
                    idempotent_hint=True,
                    open_world_hint=False,
                ),
            )
            for tool in tools.TOOLS
        ]
    )


async def _call_tool(
    context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
) -> types.CallToolResult:
    request: Any = context.request
    key: AgentKey = request.scope[KEY]
    asked = sync_to_async(_called, thread_sensitive=False)
    found, is_error = await asked(params.name, key, params.arguments or {})
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=json.dumps(found, ensure_ascii=False))],
        structured_content=found,
        is_error=is_error,
    )


def _called(name: str, key: AgentKey, arguments: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    try:
        return tools.call(name, key, arguments), False
    except DomainError as error:
        return {"code": error.code, "detail": error.detail} | error.facts, True
    finally:
        for connection in connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close()
