"""Whether a signed call is genuine, and comes for the first time."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from werkzeug.exceptions import ServiceUnavailable, Unauthorized

from .address import called_paths, other_paths
from .errors import CacheError, SignatureError
from .function import Function
from .invocation import Invocation
from .requests import Incoming
from .services.claims import Claim
from .signatures import ApplicationScheme, Body, NonceScheme, WebhookScheme
from .unhandled import V2, claimed_event, v2_sentence

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


def is_genuine(incoming: Incoming, function: Function) -> bool:
    """Check the signature of a callback before anything of its body is parsed.

    :returns: True also where callbacks are not verified.
    :raises HTTPException: its body cannot be read.
    """
    scheme = function.schemes.get("application")
    if isinstance(scheme, ApplicationScheme) and not incoming.is_genuine:
        paths = called_paths(incoming.environ, function)
        incoming.is_genuine = _differs_for_all(scheme, paths, _signed_parts(incoming)) is None
        return incoming.is_genuine
    return True


def claims_signature(incoming: Incoming) -> bool:
    """Whether the sender says that this is a callback of the platform."""
    authorization: str = incoming.environ.get("HTTP_AUTHORIZATION", "")
    return authorization[:12].lower() == "application "


def _signed_parts(incoming: Incoming) -> dict[str, Any]:
    environ = incoming.environ
    return {
        "method": environ["REQUEST_METHOD"],
        "content_type": environ.get("CONTENT_TYPE", ""),
        "timestamp": environ.get("HTTP_X_TIMESTAMP"),
        "authorization": environ.get("HTTP_AUTHORIZATION"),
        "body": incoming.body,
    }


def _verify_callback(scheme: ApplicationScheme, invocation: Invocation) -> None:
    incoming, function = invocation.incoming, invocation.function
    if incoming.is_genuine:  # seen already, to find out which callback it is
        return
    signed = _signed_parts(incoming)
    paths = called_paths(invocation.environ, function)
    reason = _differs_for_all(scheme, paths, signed)
    if reason is None:
        return
    event = claimed_event(incoming.body)
    hint = v2_sentence(event) if event.startswith(V2) else ""
    explained = ""
    if function.config.is_development:
        others = other_paths(invocation.environ, function)
        explained = scheme.explain(path=paths[0], alternatives=others, **signed)
    _refuse(invocation, reason, explained, hint)


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


def _refuse(invocation: Invocation, reason: str, explained: str = "", hint: str = "") -> NoReturn:
    """
    :param hint: what follows from the request alone, and so may be told to its sender.
    """
    if explained and explained != reason:
        reason = f"{reason}; {explained}"
    hint = hint and f" {hint}"
    _log.warning("Refused a call to %s: %s%s", invocation.export.name, reason, hint and f".{hint}")
    carried = "secret" if invocation.export.scheme == "init-secret" else "signature"
    raise Unauthorized(f"The {carried} of this request does not hold.{hint}")
