"""Why a credential, a sign-in or a password was not taken.

    Unauthenticated 401   TokenUnknown · TokenExpired · TokenRevoked · PersonDeactivated
                          AgentKeyNotTakenHere · AgentKeyUnknown · AgentKeyExpired
                          AgentKeyRevoked · AgentOutOfService · PersonTokenNotTakenHere
                          SignInRefused · SignInLinkSpent
    Throttled       429   SignInBraked
    Denied          403   CrossSiteRefused · NotByToken · TokenTooWide
    Invalid         422   PasswordNotAcceptable · TokenLifetimeWrong · BootstrapTokenTooShort
    NotFound        404   TokenNotFound

None of them ever carries the credential that was presented.
"""

from __future__ import annotations

from kernel.errors import Denied, Invalid, NotFound, Throttled, Unauthenticated


class TokenUnknown(Unauthenticated):
    """The bearer token is none of ours, or only half of one."""

    code = "registry.token_unknown"
    title = "This token is not known"


class TokenExpired(Unauthenticated):
    """The bearer token was good until it expired."""

    code = "registry.token_expired"
    title = "This token has expired"


class TokenRevoked(Unauthenticated):
    """The bearer token was revoked."""

    code = "registry.token_revoked"
    title = "This token was revoked"


class PersonDeactivated(Unauthenticated):
    """The credential is good, its person may not sign in any more."""

    code = "registry.person_deactivated"
    title = "This account is deactivated"


class AgentKeyNotTakenHere(Unauthenticated):
    """An agent's key at a door for people; agents call the gateway."""

    code = "registry.agent_key_not_taken_here"
    title = "Agent keys are not taken at this address"


class PersonTokenNotTakenHere(Unauthenticated):
    """A person's token at a door for agents."""

    code = "registry.person_token_not_taken_here"
    title = "This address takes agent keys only"


class AgentKeyUnknown(Unauthenticated):
    """The agent key is none of ours, or only half of one."""

    code = "registry.agent_key_unknown"
    title = "This agent key is not known"


class AgentKeyExpired(Unauthenticated):
    """The agent key was good until it expired."""

    code = "registry.agent_key_expired"
    title = "This agent key has expired"


class AgentKeyRevoked(Unauthenticated):
    """The agent key was revoked."""

    code = "registry.agent_key_revoked"
    title = "This agent key was revoked"


class AgentOutOfService(Unauthenticated):
    """The key is good, its agent was killed or retired."""

    code = "registry.agent_out_of_service"
    title = "This agent is out of service"


class SignInRefused(Unauthenticated):
    """E-mail and password do not belong together; never says which of them is wrong."""

    code = "registry.sign_in_refused"
    title = "E-mail and password do not match an active account"


class SignInLinkSpent(Unauthenticated):
    """The link was used, has expired or never existed."""

    code = "registry.sign_in_link_spent"
    title = "This sign-in link does not work any more; ask for a new one"


class SignInBraked(Throttled):
    """Too many failed guesses from this address."""

    code = "registry.sign_in_braked"
    title = "Too many failed attempts from here; try again later"


class CrossSiteRefused(Denied):
    """A session changed something without the proof that our own page asked for it."""

    code = "registry.cross_site_refused"
    title = "The request does not come from one of our pages"


class NotByToken(Denied):
    """Something only a person who signed in may do, such as changing the password."""

    code = "registry.not_by_token"
    title = "Sign in to do this; a token is not enough"


class TokenTooWide(Denied):
    """A token may not carry a role that its issuer does not hold at this moment."""

    code = "registry.token_too_wide"
    title = "A token cannot carry more than its issuer holds"


class TokenLifetimeWrong(Invalid):
    """A token expires, within a year, and never after the token it was issued with."""

    code = "registry.token_lifetime_wrong"
    title = "A token must expire within a year"


class BootstrapTokenTooShort(Invalid):
    """The operator's bootstrap token could be guessed."""

    code = "registry.bootstrap_token_too_short"
    title = "UNSPRAWL_BOOTSTRAP_TOKEN must have at least 32 characters"


class TokenNotFound(NotFound):
    """No such token of this person."""

    code = "registry.token_not_found"
    title = "There is no such token"


class PasswordNotAcceptable(Invalid):
    """The new password is weak, or the current one was not given rightly."""

    code = "registry.password_not_acceptable"
    title = "The password is not acceptable"
