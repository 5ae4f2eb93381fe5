"""The one settings module: differences between machines are environment variables.

Owns what Django needs to know. Every variable is a row of docs/settings.md; all problems
are collected and reported together, and nothing defaults to the unsafe side.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.appearance import UNFOLD as UNFOLD
from config.database import OWNER_COMMANDS, database_from
from config.env import Env, Misconfigured
from config.judged_by import judged_by
from config.logs import logging_settings
from config.parts import APPS
from config.places import BASE_DIR, Places
from config.watching import witness_keys
from kernel.sealing import RINGS

env = Env()
places = Places.from_environ()
runtime = places.read_runtime()

# --- this installation
DATA_DIR = places.data
KEYS_DIR = env.path("UNSPRAWL_KEYS_DIR", places.keys)
WITNESS_KEYS = witness_keys(env, KEYS_DIR)
SHREDS_DIR = env.path("UNSPRAWL_SHREDS_DIR", places.shreds)
RETENTION_FLOOR_DAYS = env.integer(
    "UNSPRAWL_RETENTION_FLOOR_DAYS", 184, minimum=184, maximum=36_500
)
OPENS = env.choices("UNSPRAWL_OPENS", frozenset(RINGS))
PORT = env.port("PORT", 8000)
GATEWAY_PORT = env.port("GATEWAY_PORT", 8100)
PUBLIC_URL = env.url("UNSPRAWL_PUBLIC_URL", runtime.web_url or f"http://127.0.0.1:{PORT}")
GATEWAY_URL = env.url(
    "UNSPRAWL_GATEWAY_URL", runtime.gateway_url or f"http://127.0.0.1:{GATEWAY_PORT}"
)
GATEWAY_INTERNAL_URL = env.url("UNSPRAWL_GATEWAY_INTERNAL_URL", GATEWAY_URL)
# Who judges instead of the activation in force, alike in gateway, web and worker.
POLICY_DIR, OPA_URL = judged_by(env)
SANDBOX_URL = env.url("UNSPRAWL_SANDBOX_URL", runtime.sandbox_url or "http://127.0.0.1:8200")
BOOTSTRAP_TOKEN = env.secret("UNSPRAWL_BOOTSTRAP_TOKEN")
EXPORT_DIR = env.path("UNSPRAWL_EXPORT_DIR", places.data / "exports")
EXPORT_DAYS = env.integer("UNSPRAWL_EXPORT_DAYS", 7, minimum=1, maximum=365)
DEBUG = env.boolean("UNSPRAWL_DEBUG", default=False)
DEMO = env.boolean("UNSPRAWL_DEMO", default=False)
HTTPS = urlsplit(PUBLIC_URL).scheme == "https"
PUBLIC_HOST = urlsplit(PUBLIC_URL).hostname or "127.0.0.1"
ALLOWED_HOSTS = [
    *env.listing("UNSPRAWL_ALLOWED_HOSTS"), PUBLIC_HOST, "127.0.0.1", "localhost", "[::1]",
]  # fmt: skip


def _secret_key() -> str:
    """The variable, else the key the supervisor made; else empty, which Django refuses to use."""
    chosen = env.secret("UNSPRAWL_SECRET_KEY")
    if chosen:
        if len(chosen) < 32:
            env.problems.append("UNSPRAWL_SECRET_KEY must have at least 32 characters.")
        return chosen
    try:
        return str(json.loads((KEYS_DIR / "django.json").read_text())["secret_key"])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        env.problems.append(
            f"django.json in the key directory is unusable ({type(error).__name__})."
        )
        return ""


SECRET_KEY = _secret_key()


def _databases() -> dict[str, dict[str, Any]]:
    named = env.secret("DATABASE_URL")
    address = named or runtime.database_url
    owner = env.secret("DATABASE_OWNER_URL") or named or runtime.database_owner_url
    if len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        address = owner
    # Nowhere on purpose: what needs no database works, and the rest is told how to start one.
    address = address or "postgresql://nobody@/unsprawl?host=/nonexistent"
    try:
        return {
            "default": database_from(
                address,
                pool=env.integer("UNSPRAWL_DATABASE_POOL", 0, maximum=500),
                statement_timeout_ms=env.integer("UNSPRAWL_STATEMENT_TIMEOUT_MS", 0),
            )
        }
    except ValueError as error:
        env.problems.append(f"DATABASE_URL {error}.")
        return {}


DATABASES = _databases()
DATABASE_CONFIGURED = bool(env.secret("DATABASE_URL") or runtime.database_url)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- what it is made of
INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "auditlog",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "template_partials",
    *APPS,
]
MIDDLEWARE = [
    "config.middleware.RequestContext",
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.BrowserPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "auditlog.middleware.AuditlogMiddleware",
    "config.faults.Refusals",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context.portal",
            ],
        },
    },
]
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
LANGUAGE_CODE = "en"

# --- people and sessions
AUTH_USER_MODEL = "registry.Person"
# Every door for passwords, the admin's form too, stands behind the same brake on guessing.
AUTHENTICATION_BACKENDS = ["registry.authentication.PasswordBackend"]
LOGIN_URL = "registry:signin"
LOGIN_REDIRECT_URL = "fleet:home"
LOGOUT_REDIRECT_URL = "registry:signin"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", **options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {}),
        ("MinimumLengthValidator", {"OPTIONS": {"min_length": 12}}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
]
SESSION_ENGINE = "registry.sessions"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-unsprawl" if HTTPS else "unsprawl"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-unsprawl-csrf" if HTTPS else "unsprawl-csrf"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

# --- reviews
REVIEWS_TOGETHER = env.integer("UNSPRAWL_REVIEWS_TOGETHER", 20, minimum=1, maximum=100)
# Minutes until an incident that nobody has taken goes to the backup owner, then to the team.
INCIDENT_ESCALATE_MINUTES = env.integer(
    "UNSPRAWL_INCIDENT_ESCALATE_MINUTES", 15, minimum=1, maximum=1440
)
# Whether anybody who is signed in sees every agent's reasons on the status page.
HEALTH_OPEN = env.boolean("UNSPRAWL_HEALTH_OPEN", default=False)
CUTOVER_SECURITY_CLASS = env.text("UNSPRAWL_CUTOVER_SECURITY_CLASS", "confidential")
REVIEW_DAYS = env.integer("UNSPRAWL_REVIEW_DAYS", 14, minimum=1, maximum=365)
REVIEW_QUORUM_BY_DATA_CLASS = {
    "regulated": env.integer("UNSPRAWL_REGULATED_QUORUM", 2, minimum=1, maximum=10)
}

# --- adapters of this installation's own, beside those that are shipped
ADAPTERS = env.listing("UNSPRAWL_ADAPTERS")

# --- proposals
PROPOSALS_PER_AGENT = env.integer("UNSPRAWL_PROPOSALS_PER_AGENT", 100, minimum=1, maximum=10_000)
WORKING_TIME_ZONE = env.time_zone("UNSPRAWL_WORKING_TIME_ZONE", "UTC")
AUTHORS_MAY_APPROVE = env.boolean("UNSPRAWL_AUTHORS_MAY_APPROVE", default=False)

# --- from soft launch to live, and back: (decided, of each operation, and in percent agreement,
# its lower bound, errors)
LAUNCH_MINIMUM = {
    "low": env.minimum("UNSPRAWL_LAUNCH_LOW", "10,3,90,65,10"),
    "medium": env.minimum("UNSPRAWL_LAUNCH_MEDIUM", "20,5,95,80,5"),
    "high": env.minimum("UNSPRAWL_LAUNCH_HIGH", "50,10,98,88,2"),
}
# How far below the minimum a live agent falls before it is demoted, in percent.
LAUNCH_MARGIN = env.integer("UNSPRAWL_LAUNCH_MARGIN", 10, minimum=1, maximum=50)

# --- campaigns: how long before a model's end one is opened, and how long before the day's
# beginning in UTC nothing may call it any more
CAMPAIGN_HORIZON_DAYS = env.integer("UNSPRAWL_CAMPAIGN_HORIZON_DAYS", 180, minimum=1, maximum=730)
EGRESS_SENDERS = env.listing("UNSPRAWL_EGRESS_SENDERS")
# A dearer price opens one from so many whole units of currency a month on, another rate limit from
# so many calls of 30 days that it would have refused; each with so many days to answer.
CAMPAIGN_PRICE = env.integer("UNSPRAWL_CAMPAIGN_PRICE", 500, minimum=1, maximum=1_000_000_000)
CAMPAIGN_REFUSED_CALLS = env.integer(
    "UNSPRAWL_CAMPAIGN_REFUSED_CALLS", 100, minimum=1, maximum=1_000_000_000
)
CAMPAIGN_CHANGE_DAYS = env.integer("UNSPRAWL_CAMPAIGN_CHANGE_DAYS", 30, minimum=1, maximum=365)
LISTING_MINUTES = env.integer("UNSPRAWL_LISTING_MINUTES", 30, minimum=5, maximum=1440)
# A changed price is told when a month's difference is this or more, in whole units of currency.
PRICE_TELL = env.integer("UNSPRAWL_PRICE_TELL", 10, maximum=1_000_000)
CAMPAIGN_MARGIN_HOURS = env.integer("UNSPRAWL_CAMPAIGN_MARGIN_HOURS", 14, minimum=0, maximum=168)

# --- worth: what a minute of a reviewer costs, in cents, and how many one answer counts at most
REVIEWER_MINUTE_CENTS = env.integer("UNSPRAWL_REVIEWER_MINUTE_CENTS", 100, maximum=100_000)
REVIEW_MINUTES_CAP = env.integer("UNSPRAWL_REVIEW_MINUTES_CAP", 10, minimum=1, maximum=480)

# --- budgets
BUDGET_TIME_ZONE = env.time_zone("UNSPRAWL_BUDGET_TIME_ZONE", "UTC")

# --- mail; without a host none is sent
EMAIL_HOST = env.text("UNSPRAWL_MAIL_HOST")
EMAIL_PORT = env.port("UNSPRAWL_MAIL_PORT", 25)
EMAIL_HOST_USER = env.text("UNSPRAWL_MAIL_USER")
EMAIL_HOST_PASSWORD = env.secret("UNSPRAWL_MAIL_PASSWORD")
EMAIL_USE_TLS = env.boolean("UNSPRAWL_MAIL_STARTTLS", default=False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("UNSPRAWL_MAIL_FROM", "unsprawl@localhost")

# --- the wire; a loopback address has no TLS, so these follow the public address
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
# Probes come from inside, without TLS in front of them.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
if env.boolean("UNSPRAWL_BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

# --- static files: collected by the supervisor, hashed names, served by the web process
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.path("UNSPRAWL_STATIC_DIR", places.static)
_hashed = not (DEBUG or env.boolean("UNSPRAWL_PLAIN_STATIC", default=False))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage."
        + ("ManifestStaticFilesStorage" if _hashed else "StaticFilesStorage")
    },
}

# --- REST
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "registry.authentication.TokenAuthentication",
        "registry.authentication.SessionAuthentication",
    ],
    # Deny by default: a view that forgets its permissions is closed, not open.
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["kernel.api.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "kernel.api.Cursor",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "kernel.api.problem_handler",
    "PAGE_SIZE": 50,
    "SEARCH_PARAM": "search",
    "ORDERING_PARAM": "ordering",
    "UNICODE_JSON": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Unsprawl",
    "VERSION": "1",
    "DESCRIPTION": "Register agents, broker their keys, route their calls, read the record.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "BatchStateEnum": "fleet.retiring.models.batch.Batch.State",
        "CampaignKindEnum": "fleet.campaigns.models.campaign.Campaign.Kind",
        "DetectorActionEnum": ["allow", "redact", "block"],
        "ContainmentStateEnum": ["contained", "open", "beyond_reach"],
        "ComparedStateEnum": ["same", "changed", "missing", "added"],
        "DuplicatesStateEnum": "fleet.worth.models.duplicates.DuplicateGroup.State",
        "ErasureScopeEnum": "routing.models.Erasure.Scope",
        "ErasureStateEnum": "routing.models.Erasure.State",
        "ExportStateEnum": "outlets.models.Export.State",
        "HealthStatusEnum": "fleet.health.models.check.Status",
        "HoldScopeEnum": "ledger.models.LegalHold.Scope",
        "IncidentStateEnum": "fleet.health.models.incident.Incident.State",
        "RetirementDataEnum": "fleet.retiring.models.retirement.Retirement.Data",
        "RetirementStateEnum": "fleet.retiring.models.retirement.Retirement.State",
        "ReviewStateEnum": "approvals.models.Review.State",
        "RunOutcomeEnum": "routing.models.RunSummary.Outcome",
        "RunStateEnum": "routing.models.RunSummary.State",
        "StopScopeEnum": "routing.models.Stop.Scope",
        "VersionStateEnum": "registry.models.AgentVersion.State",
    },
}

# --- admin, audit, worker, logs
# The address would come from a header that anyone can write.
AUDITLOG_DISABLE_REMOTE_ADDR = True
CELERY_BROKER_URL = env.secret("BROKER_URL") or runtime.broker_url or "memory://"
LOG_LEVEL = env.text("UNSPRAWL_LOG_LEVEL", "INFO").upper()
LOGGING = logging_settings(LOG_LEVEL, problems=env.problems)

try:
    env.check()
except Misconfigured as error:
    raise ImproperlyConfigured(str(error)) from None
