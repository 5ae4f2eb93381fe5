"""What is answered when no view does: problems under /api/, pages elsewhere.

Owns Django's four fault handlers, and the page of a refusal that a view did not explain
itself. Never says more about a fault than its kind.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template import TemplateDoesNotExist
from django.template.loader import get_template, select_template

from kernel.errors import DomainError


def _answer(request: HttpRequest, status: HTTPStatus, code: str, title: str) -> HttpResponse:
    if request.path.startswith(("/api/", "/scim/")):
        body = {
            "type": f"https://unsprawl.dev/errors#{code}",
            "title": title,
            "status": int(status),
            "detail": title,
            "code": code,
            "instance": request.path,
        }
        return JsonResponse(
            body,
            status=status,
            content_type="application/problem+json",
            headers={"x-unsprawl-error": code},
        )
    try:
        page = get_template(f"{int(status)}.html").render({"title": title}, request)
    except TemplateDoesNotExist:
        page = f"<!doctype html><html lang=en><title>{title}</title><h1>{title}</h1>"
    return HttpResponse(page, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400."""
    return _answer(
        request, HTTPStatus.BAD_REQUEST, "kernel.malformed", "The request could not be read"
    )


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    return _answer(request, HTTPStatus.FORBIDDEN, "kernel.denied", "This is not allowed")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404, the same for what is absent and for what is invisible."""
    return _answer(
        request,
        HTTPStatus.NOT_FOUND,
        "kernel.not_found",
        "There is no such thing, or you may not see it",
    )


def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    """Answer 500; the cause is in the log, under the request id."""
    return _answer(
        request, HTTPStatus.INTERNAL_SERVER_ERROR, "kernel.error", "Something went wrong here"
    )


class Refusals:
    """Answers a refusal that a page's view raised; REST has a renderer of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DomainError):
            return None
        told = {
            "title": exception.title,
            "exception_text": exception.detail,
            "code": exception.code,
            "status": exception.status,
        }
        page = select_template([f"{exception.status}.html", "refused.html"])
        response = HttpResponse(page.render(told, request), status=exception.status)
        response["x-unsprawl-error"] = exception.code
        return response
