"""What is fetched of which kind of account, as rows that the readers of saved answers take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

from fleet.discovery.models import Source
from fleet.discovery.pulling.pages import Account
from fleet.discovery.readers import anthropic, documents, litellm, openai
from fleet.discovery.readers.moments import listed, text
from fleet.discovery.readers.tally import Tally
from fleet.discovery.signs import Sighting
from kernel import clock
from outlets.queries.secrets import secret_of_holder

DAYS: Final = 30
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
