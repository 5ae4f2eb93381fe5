"""What is fetched of which kind of account, as rows that the readers of saved answers take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

from fleet.discovery.models import Source
from fleet.discovery.pulling.pages import MOST_PAGES, Account, PullFailed
from fleet.discovery.readers import anthropic, documents, litellm, openai
from fleet.discovery.readers.moments import listed, text
from fleet.discovery.readers.tally import Tally
from fleet.discovery.signs import Sighting
from kernel import clock
from outlets.queries.secrets import secret_of_holder

DAYS: Final = 30
_ROWS: Final = 100  # the most that a LiteLLM proxy gives at once
_MOMENT: Final = "%Y-%m-%d %H:%M:%S"
_MOST_PAGES: Final = {"litellm": 5000}
_NO_SUCH_PAGE: Final = (404, 405)
_ANTHROPIC_VERSION: Final = "2023-06-01"
_AUTH: Final = {
    "openai": ("Authorization", "Bearer", {}),
    "anthropic": ("x-api-key", "", {"anthropic-version": _ANTHROPIC_VERSION}),
    "litellm": ("Authorization", "Bearer", {}),
}


def account_of(source: Source, beat: Callable[[], None]) -> Account:
    """Return the account with its key opened. Raises: SecretsClosed, SecretNotFound."""
    header, scheme, more = _AUTH[source.kind]
    return Account(
        base_url=source.base_url,
        header=header,
        scheme=scheme,
        secret=secret_of_holder(source.ref),
        more=dict(more),
        allow_private=source.allow_private,
        most_pages=_MOST_PAGES.get(source.kind, MOST_PAGES),
        beat=beat,
    )


def pull(source: Source, account: Account, tally: Tally) -> Iterator[Sighting]:
    """Yield what an account holds. Raises: PullFailed, AddressRefused, FetchFailed."""
    pages, read = _PULLS[source.kind]
    yield from read(documents.rows_of(pages(account), tally), tally)


def _openai(account: Account) -> Iterator[Any]:
    for page in account.after_last("/organization/projects", "after", limit=100):
        for project in listed(page.get("data")):
            ident = text(project.get("id"), 100)
            if not ident.replace("_", "").replace("-", "").isalnum():
                continue
            keys = account.after_last(
                f"/organization/projects/{ident}/api_keys",
                "after",
                limit=100,
                # Without it the list may leave out the keys whose owners are gone.
                owner_project_access="any",
            )
            for found in keys:
                yield found | {"_project": text(project.get("name"), 120) or ident}
    since = int((clock.now() - timedelta(days=DAYS)).timestamp())
    yield from account.by_token(
        "/organization/usage/completions",
        start_time=since,
        bucket_width="1d",
        limit=31,
        **{"group_by[]": ["project_id", "api_key_id", "model"]},
    )
    yield from account.by_token(
        "/organization/costs",
        start_time=since,
        bucket_width="1d",
        limit=31,
        **{"group_by[]": ["api_key_id"]},
    )


def _anthropic(account: Account) -> Iterator[Any]:
    yield from account.after_last("/organizations/users", "after_id", limit=1000)
    yield from account.after_last("/organizations/api_keys", "after_id", limit=1000)
    since = f"{clock.now() - timedelta(days=DAYS):%Y-%m-%dT00:00:00Z}"
    yield from account.by_token(
        "/organizations/usage_report/messages",
        starting_at=since,
        bucket_width="1d",
        limit=31,
        **{"group_by[]": ["api_key_id", "workspace_id", "model"]},
    )
    yield from account.by_token(
        "/organizations/cost_report", starting_at=since, bucket_width="1d", limit=31
    )


def _litellm(account: Account) -> Iterator[Any]:
    """Yield the log by pages, day by day; from a proxy that has none, in one answer."""
    try:
        yield from _litellm_days(account)
    except PullFailed as failed:
        if account.pages > 1 or failed.facts.get("status") not in _NO_SUCH_PAGE:
            raise
        yield from _litellm_at_once(account)


def _litellm_days(account: Account) -> Iterator[Any]:
    # Rows are written some time after their calls: what is newest is read the next time.
    end = clock.now() - timedelta(minutes=10)
    until = (end - timedelta(days=DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
    before: set[str] = set()
    while until < end:
        since, until = until, min(until + timedelta(days=1), end)
        rows: list[dict[str, Any]] = []
        for rows in account.by_number(
            "/spend/logs/v2", _ROWS, start_date=f"{since:{_MOMENT}}", end_date=f"{until:{_MOMENT}}",
            sort_by="startTime", sort_order="asc",
        ):  # fmt: skip
            # Both days hold a row of the moment between them.
            yield {"data": [row for row in rows if text(row.get("request_id"), 300) not in before]}
        before = {text(row.get("request_id"), 300) for row in rows} - {""}


def _litellm_at_once(account: Account) -> Iterator[Any]:
    until = clock.now()
    since = until - timedelta(days=DAYS)
    yield account.get(
        "/spend/logs",
        start_date=f"{since:%Y-%m-%d}",
        end_date=f"{until:%Y-%m-%d}",
        summarize="false",
    )


_PULLS: Final[dict[str, tuple[Callable[[Account], Iterator[Any]], Callable[..., Any]]]] = {
    "openai": (_openai, openai.read_rows),
    "anthropic": (_anthropic, anthropic.read_rows),
    "litellm": (_litellm, litellm.read_rows),
}
