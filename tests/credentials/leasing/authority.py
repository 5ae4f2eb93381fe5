"""A real authorization server over HTTP: Authlib's, with its own reading of every standard."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, InvalidClientError, InvalidRequestError, TokenMixin
from authlib.oauth2.rfc6749.grants import BaseGrant, ClientCredentialsGrant, TokenEndpointMixin
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from flask import Flask, Response, request
from joserfc import jwk, jwt
from werkzeug.serving import make_server

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"


@dataclass
class Issued(TokenMixin):
    client_id: str
    scope: str
    text: str
    expires_in: int
    subject: str = ""
    is_revoked: bool = False

    def check_client(self, client: Any) -> bool:
        return bool(self.client_id == client.client_id)

    def get_scope(self) -> str:
        return self.scope

    def get_expires_in(self) -> int:
        return self.expires_in


@dataclass
class KnownClient(ClientMixin):
    client_id: str
    secret: str = ""
    public_key: str = ""
    scope: str = "read write"

    def get_client_id(self) -> str:
        return self.client_id

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(one for one in (scope or "").split() if one in self.scope.split())

    def check_client_secret(self, secret: str) -> bool:
        return bool(self.secret) and secrets.compare_digest(self.secret, secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        if self.public_key:
            return method == "private_key_jwt"
        return method in {"client_secret_basic", "client_secret_post"}

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in {"client_credentials", EXCHANGE}


@dataclass
class Authority:
    """The server, what it issued, and what came in."""

    clients: dict[str, KnownClient] = field(default_factory=dict)
    issued: list[Issued] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)
    seconds: int = 600
    pause: float = 0.0
    revocation_status: int = 0
    jtis: set[str] = field(default_factory=set)

    def start(self) -> None:
        self._http = make_server("127.0.0.1", 0, self._app(), threaded=True)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def live(self) -> list[str]:
        return [one.text for one in self.issued if not one.is_revoked]

    def _app(self) -> Flask:
        app = Flask("authority")
        app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"client_credentials": self.seconds}
        server = AuthorizationServer(app, query_client=self.clients.get, save_token=self._save)
        server.register_token_generator("default", self._made)
        server.register_client_auth_method("private_key_jwt", _assertion(self))
        server.register_grant(_grant(ClientCredentialsGrant))
        server.register_grant(_exchange(self))
        server.register_endpoint(_revocation(self))

        @app.post("/token")
        def token() -> Response:
            self.seen.append(
                dict(request.form) | {"auth": request.headers.get("Authorization", "")}
            )
            time.sleep(self.pause)
            return server.create_token_response()  # type: ignore[no-any-return]

        @app.post("/revoke")
        def revoke() -> Response:
            if self.revocation_status:
                return Response(status=self.revocation_status)
            return server.create_endpoint_response("revocation")  # type: ignore[no-any-return]

        return app

    def _made(self, **given: Any) -> dict[str, Any]:
        text = f"token-canary-{secrets.token_urlsafe(24)}"
        return {"access_token": text, "token_type": "Bearer", "expires_in": self.seconds,
                "scope": given.get("scope") or ""}  # fmt: skip

    def _save(self, token: dict[str, Any], asked: Any) -> None:
        subject = str(asked.user or "")
        self.issued.append(
            Issued(asked.client.client_id, token.get("scope", ""), token["access_token"],
                   token["expires_in"], subject)
        )  # fmt: skip


METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]


def _grant(base: Any) -> Any:
    return type("Grant", (base,), {"TOKEN_ENDPOINT_AUTH_METHODS": METHODS})


def _assertion(authority: Authority) -> Any:
    class Assertion(JWTBearerClientAssertion):
        CLIENT_AUTH_METHOD = "private_key_jwt"

        def get_audiences(self) -> list[str]:
            return [f"{authority.url}/token"]

        def validate_jti(self, claims: Any, jti: str) -> bool:
            is_new = jti not in authority.jtis
            authority.jtis.add(jti)
            return is_new

        def resolve_client_public_key(self, client: KnownClient) -> Any:
            return _key(client.public_key)

        def authenticate_client(self, client: KnownClient) -> KnownClient:
            return client

    return Assertion()


def _key(pem: str) -> Any:
    key = load_pem_public_key(pem.encode())
    read: Any = jwk.import_key
    return read(pem, "EC" if isinstance(key, ec.EllipticCurvePublicKey) else "RSA")


def _exchange(authority: Authority) -> Any:
    class Exchange(BaseGrant, TokenEndpointMixin):
        GRANT_TYPE = EXCHANGE
        TOKEN_ENDPOINT_AUTH_METHODS = METHODS

        def validate_token_request(self) -> None:
            client = self.authenticate_token_endpoint_client()
            form = self.request.form
            if form.get("subject_token_type") != JWT or form.get("requested_token_type") != ACCESS:
                raise InvalidRequestError
            key = _key(client.public_key)
            read = jwt.decode(form["subject_token"], key, algorithms=["EdDSA", "ES256", "RS256"])
            claims = read.claims
            if claims["aud"] != f"{authority.url}/token" or claims["exp"] < time.time():
                raise InvalidClientError
            self.request.client = client
            self.request.user = claims["sub"]
            if "actor_token" in form:
                actor = jwt.decode(form["actor_token"], key, algorithms=["EdDSA", "ES256", "RS256"])
                self.request.user += f" by {actor.claims['sub']}"

        def create_token_response(self) -> Any:
            token = authority._made(scope=self.request.payload.scope)
            self.save_token(token)
            return 200, token | {"issued_token_type": ACCESS}, self.TOKEN_RESPONSE_HEADER

    return Exchange


def _revocation(authority: Authority) -> Any:
    class Revocation(RevocationEndpoint):
        CLIENT_AUTH_METHODS = METHODS

        def query_token(self, text: str, hint: str | None) -> Issued | None:
            return next((one for one in authority.issued if one.text == text), None)

        def revoke_token(self, token: Issued, asked: Any) -> None:
            token.is_revoked = True

    return Revocation


def claims_of(signed: str) -> dict[str, Any]:
    part = signed.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found
