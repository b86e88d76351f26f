"""Whether a signed call is genuine, and comes for the first time."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from werkzeug.exceptions import ServiceUnavailable, Unauthorized

from .address import called_paths, other_paths
from .errors import CacheError, SignatureError
from .invocation import Invocation
from .requests import Incoming
from .services.claims import Claim
from .signatures import ApplicationScheme, Body, NonceScheme, WebhookScheme

#: Seconds for which a nonce is held for the request that came with it first. If its process dies, the platform's next
#: delivery after these is accepted; they are well within the age that a signed timestamp may have.
AT_WORK = 30

#: Seconds after which a delivery that was answered 503 may be tried again.
ASK_AGAIN = 5

_log = logging.getLogger("sinchfn")


class SentHeaders(Mapping[str, str]):
    """The headers of a request by their names in lower case, as WSGI has them; read where they stand."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value: str = self._environ[f"HTTP_{name.upper().replace('-', '_')}"]
        return value

    def __iter__(self) -> Iterator[str]:
        return (key[5:].lower().replace("_", "-") for key in self._environ if key.startswith("HTTP_"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Pieces:
    """A body that is read from its file, as often as it is gone through."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming

    def __iter__(self) -> Iterator[bytes]:
        return self._incoming.pieces()


def verify_signature(invocation: Invocation) -> None:
    """401 for a call that its sender did not sign. The log says why, the answer does not."""
    scheme = invocation.function.schemes.get(invocation.export.scheme or "")
    if scheme is None:
        return
    if isinstance(scheme, ApplicationScheme):
        _verify_callback(scheme, invocation)
    else:
        _verify_webhook(scheme, invocation)


def _verify_callback(scheme: ApplicationScheme, invocation: Invocation) -> None:
    environ = invocation.environ
    signed: dict[str, Any] = {
        "method": environ["REQUEST_METHOD"],
        "content_type": environ.get("CONTENT_TYPE", ""),
        "timestamp": environ.get("HTTP_X_TIMESTAMP"),
        "authorization": environ.get("HTTP_AUTHORIZATION"),
        "body": invocation.incoming.body,
    }
    paths = called_paths(environ, invocation.function)
    reason = _differs_for_all(scheme, paths, signed)
    if reason is None:
        return
    if invocation.function.config.is_development:
        others = other_paths(environ, invocation.function)
        _refuse(invocation, reason, scheme.explain(path=paths[0], alternatives=others, **signed))
    _refuse(invocation, reason)


def _differs_for_all(scheme: ApplicationScheme, paths: tuple[str, ...], signed: dict[str, Any]) -> str | None:
    """Why the signature holds for none of the paths; None if it holds for one."""
    reason: str | None = None
    for path in paths:
        try:
            scheme.verify(path=path, **signed)
        except SignatureError as error:
            reason = str(error)
        else:
            return None
    return reason


def _verify_webhook(scheme: WebhookScheme, invocation: Invocation) -> None:
    headers = SentHeaders(invocation.environ)
    body: Body = _Pieces(invocation.incoming) if invocation.export.takes_large_bodies else invocation.incoming.body
    try:
        nonce = scheme.verify(headers, body)
    except SignatureError as error:
        development = invocation.function.config.is_development
        _refuse(invocation, str(error), scheme.explain(headers, body) if development else "")
    if nonce is not None and isinstance(scheme, NonceScheme):
        _claim_nonce(nonce, scheme.lifetime, invocation)


def _claim_nonce(nonce: str, lifetime: float, invocation: Invocation) -> None:
    """Let each nonce be answered once, by whichever worker gets it first.

    401 for one that was answered, 503 for one that another request is working on, or while that cannot be known.
    """
    claims, name = invocation.function.services.claims, f"nonce/{nonce}"
    try:
        claim = claims.begin(name, AT_WORK)
    except CacheError as error:
        _log.error("Rejected a call to %s: the replay check is unavailable: %s", invocation.export.name, error)
        raise ServiceUnavailable("The replay check is unavailable.", retry_after=ASK_AGAIN) from None
    if claim is Claim.DONE:
        _refuse(invocation, "its nonce was used before: this is a replay, or a delivery that was made twice")
    if claim is Claim.UNDER_WAY:
        _log.warning("Rejected a call to %s: another request with its nonce is being handled.", invocation.export.name)
        raise ServiceUnavailable("This request is being handled already.", retry_after=ASK_AGAIN)
    invocation._claim(lambda is_done: _settle(invocation, name, lifetime, is_done))


def _settle(invocation: Invocation, name: str, lifetime: float, is_done: bool) -> None:
    """Use the nonce up, or free it: a call that failed is delivered again, perhaps with the same nonce."""
    claims = invocation.function.services.claims
    try:
        claims.finish(name, lifetime) if is_done else claims.give_up(name)
    except CacheError as error:
        _log.error("The nonce of a call to %s could not be recorded: %s", invocation.export.name, error)


def _refuse(invocation: Invocation, reason: str, explained: str = "") -> NoReturn:
    if explained and explained != reason:
        reason = f"{reason}; {explained}"
    _log.warning("Refused a call to %s: %s", invocation.export.name, reason)
    carried = "secret" if invocation.export.scheme == "init-secret" else "signature"
    raise Unauthorized(f"The {carried} of this request does not hold.")
