"""The published schema of a manifest, for editors and for other readers. Open to everybody."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from registry.manifest.schema import schema_text


def agent_schema(request: HttpRequest) -> HttpResponse:
    """Answer with the JSON Schema of ``agent.yaml``."""
    response = HttpResponse(schema_text(), content_type="application/schema+json")
    # Editors fetch it from their own origin; it says nothing about this installation.
    response["Access-Control-Allow-Origin"] = "*"
    response["Cache-Control"] = "public, max-age=3600"
    return response
