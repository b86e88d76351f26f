"""The check that a signed call is genuine and has not been answered before."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from werkzeug.exceptions import ServiceUnavailable, Unauthorized

from ..errors import CacheError, SignatureError
from ..function.function import Function
from ..function.invocation import Progress
from ..function.request import Incoming
from ..security.application import ApplicationScheme
from ..security.nonce import NonceScheme
from ..security.scheme import Body, WebhookScheme
from ..security.table import SCHEMES
from ..services.claims import Claim
from .public_url import called_paths, other_paths
from .unhandled import V2, claimed_event, v2_sentence

#: Seconds for which a nonce is held for the request that came with it first. If its process dies, the platform's next
#: delivery after these is accepted; they are well within the age that a signed timestamp may have.
AT_WORK = 30

#: Seconds after which a delivery that was answered 503 may be tried again.
ASK_AGAIN = 5

_log = logging.getLogger("sinchfn")


class SentHeaders(Mapping[str, str]):
    """The headers of a request by their names in lower case, read from the WSGI environ."""

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
    """The pieces of a body, read from its file in each iteration."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming

    def __iter__(self) -> Iterator[bytes]:
        return self._incoming.pieces()


class SignedCall:
    """A callback as the platform signed it, for each path that the platform may have called."""

    def __init__(self, incoming: Incoming, function: Function) -> None:
        environ = incoming.environ
        self._environ = environ
        self._function = function
        self._paths = called_paths(environ, function)
        self._parts: dict[str, Any] = {
            "method": environ["REQUEST_METHOD"],
            "content_type": environ.get("CONTENT_TYPE", ""),
            "timestamp": environ.get("HTTP_X_TIMESTAMP"),
            "authorization": environ.get("HTTP_AUTHORIZATION"),
            "body": incoming.body,
        }

    def fault(self, scheme: ApplicationScheme) -> str | None:
        """Return the reason why the signature is invalid for every path; None if it is valid for one."""
        reason: str | None = None
        for path in self._paths:
            try:
                scheme.verify(path=path, **self._parts)
            except SignatureError as error:
                reason = str(error)
            else:
                return None
        return reason

    def explain(self, scheme: ApplicationScheme) -> str:
        """Return the likely mistake behind a signature that is not valid, for the log of development."""
        others = other_paths(self._environ, self._function)
        return scheme.explain(path=self._paths[0], alternatives=others, **self._parts)


def verify_signature(progress: Progress) -> None:
    """Answer 401 to a call whose signature is not valid. The log says why, the answer does not."""
    scheme = progress.function.schemes.get(progress.export.scheme or "")
    if scheme is None:
        return
    if not isinstance(scheme, ApplicationScheme):
        _verify_webhook(scheme, progress)
    elif not progress.incoming.is_genuine:  # else it was verified to find out which callback it is
        call = SignedCall(progress.incoming, progress.function)
        if reason := call.fault(scheme):
            event = claimed_event(progress.incoming.body)
            hint = v2_sentence(event) if event.startswith(V2) else ""
            explained = call.explain(scheme) if progress.function.config.is_development else ""
            _refuse(progress, reason, explained, hint)


def is_genuine(incoming: Incoming, function: Function) -> bool:
    """Check the signature of a callback before anything of its body is parsed.

    :returns: True also where callbacks are not verified.
    :raises HTTPException: its body cannot be read.
    """
    scheme = function.schemes.get("application")
    if not isinstance(scheme, ApplicationScheme):
        return True
    if not incoming.is_genuine:
        incoming.is_genuine = SignedCall(incoming, function).fault(scheme) is None
    return incoming.is_genuine


def claims_signature(incoming: Incoming) -> bool:
    """Return True if the request claims to be a callback of the platform."""
    authorization: str = incoming.environ.get("HTTP_AUTHORIZATION", "")
    return authorization[:12].lower() == "application "


def _verify_webhook(scheme: WebhookScheme, progress: Progress) -> None:
    headers = SentHeaders(progress.environ)
    body: Body = _Pieces(progress.incoming) if progress.export.takes_large_bodies else progress.incoming.body
    try:
        nonce = scheme.verify(headers, body)
    except SignatureError as error:
        development = progress.function.config.is_development
        _refuse(progress, str(error), scheme.explain(headers, body) if development else "")
    if nonce is not None and isinstance(scheme, NonceScheme):
        _claim_nonce(nonce, scheme.lifetime, progress)


def _claim_nonce(nonce: str, lifetime: float, progress: Progress) -> None:
    """Accept each nonce once, in the worker that gets it first.

    :raises Unauthorized: it was accepted before.
    :raises ServiceUnavailable: another request with it is being handled, or the cache cannot be asked.
    """
    claims, name = progress.function.services.claims, f"nonce/{nonce}"
    try:
        claim = claims.begin(name, AT_WORK)
    except CacheError as error:
        _log.error("Rejected a call to %s: the replay check is unavailable: %s", progress.export.name, error)
        raise ServiceUnavailable("The replay check is unavailable.", retry_after=ASK_AGAIN) from None
    if claim is Claim.DONE:
        _refuse(progress, "its nonce was used before: this is a replay, or a delivery that was made twice")
    if claim is Claim.UNDER_WAY:
        _log.warning("Rejected a call to %s: another request with its nonce is being handled.", progress.export.name)
        raise ServiceUnavailable("This request is being handled already.", retry_after=ASK_AGAIN)

    def settle(is_done: bool) -> None:
        """Use the nonce up, or free it, because a call that failed is delivered again, perhaps with the same nonce."""
        try:
            claims.finish(name, lifetime) if is_done else claims.give_up(name)
        except CacheError as error:
            _log.error("The nonce of a call to %s could not be recorded: %s", progress.export.name, error)

    progress.settle = settle


def _refuse(progress: Progress, reason: str, explained: str = "", hint: str = "") -> NoReturn:
    """Log the reason and answer 401.

    :param hint: advice that follows from the request alone, so that its sender may read it.
    """
    if explained and explained != reason:
        reason = f"{reason}; {explained}"
    hint = hint and f" {hint}"
    _log.warning("Refused a call to %s: %s%s", progress.export.name, reason, hint and f".{hint}")
    proof = SCHEMES[progress.export.scheme or ""].proof
    raise Unauthorized(f"The {proof} of this request is not valid.{hint}")
