"""Faults of object stores: what the library says when it fails, as cause and remedy.

The library has few classes of errors and long texts, which may carry signed URLs and what a server echoes of a
request. So nothing of a text is passed on but the server's status, code and sentence.
"""

from __future__ import annotations

import re

from .contract import BackendError
from .providers import Location

#: Pattern in the facts of an error -> cause, remedy. The first that matches counts. ``{said}`` is what the server
#: said, ``{bucket}`` the bucket, and the rest is of its provider.
FAULTS = (
    (
        r"NoSuchBucket|ContainerNotFound",
        "there is no {kind} {bucket}",
        "Make it, or correct SINCHFN_STORAGE_URL.",
    ),
    (
        r"BareRedirect|PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint",
        "the {kind} is in another region{said}",
        "Set {region} to its region.",
    ),
    (
        r"http://169\.254\.|http://metadata\.google\.internal|//[^/]+/latest/(api/token|meta-data)",
        "no credentials were found, neither in the variables nor on this machine",
        "Set {credentials}.",
    ),
    (
        r"SignatureDoesNotMatch|InvalidAccessKeyId|AuthenticationFailed|InvalidToken|ExpiredToken|\b401\b",
        "the credentials are refused{said}",
        "Correct {credentials}.",
    ),
    (
        r"\b403\b",
        "access is denied{said}",
        "Let these credentials read, write, delete and list; without the right to list, what is missing is denied too.",
    ),
    (
        r"\b404\b",
        "it was removed, or there is no such place{said}",
        "Check SINCHFN_STORAGE_URL and the endpoint.",
    ),
    (
        r"\b412\b",
        "it was replaced while it was being read",
        "Open it again.",
    ),
    (
        r"\b(429|5\d\d)\b",
        "the store is in trouble{said}",
        "What was asked can be asked again later.",
    ),
    (
        r"Timeout",
        "the store did not answer in time",
        "Check the network between here and there; what was asked can be asked again.",
    ),
    (
        r"Connect|Request",
        "the store cannot be reached",
        "Check the endpoint, its name and port, and the network between here and there.",
    ),
    (
        r"Interrupted|Decode",
        "the connection broke off",
        "What was asked can be asked again.",
    ),
    (
        r"InvalidPathError",
        "there is an object whose name is no key, such as one with // in it",
        "Rename or move it: everything below the prefix belongs to this storage.",
    ),
)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,80})</Code>")
_SENTENCE = re.compile(r"<Message>([^<\n]{1,200})")
_DEBUG = re.compile(r"^ +(?:kind: (\w+)|inner: (BareRedirect)|(https?://[^?\s]+)\S*),$", re.MULTILINE)


def failure(error: Exception, location: Location) -> BackendError:
    """What an error of the library means."""
    answer, debug = _parts(error)
    known = (_STATUS.search(answer), _CODE.search(answer), _SENTENCE.search(answer))
    said = [match[1] for match in known if match]
    seen = ["".join(found) for found in _DEBUG.findall(debug)]
    facts = " ".join([type(error).__name__, *said[:2], *seen])
    cause, remedy = next(
        ((cause, remedy) for pattern, cause, remedy in FAULTS if re.search(pattern, facts)),
        ("the store failed{said}", "Its own log may tell why."),
    )
    provider = location.provider
    filling = {
        "said": f" ({': '.join(said)})" if said else "",
        "bucket": location.bucket,
        "kind": provider.bucket,
        "region": provider.region,
        "credentials": provider.credentials,
    }
    return BackendError(cause.format(**filling), remedy.format(**filling))


def is_about_the_key(error: FileNotFoundError) -> bool:
    """Whether the key is what was not found, and not the whole bucket."""
    answer, _ = _parts(error)
    code = _CODE.search(answer)
    return code is None or code[1] not in ("NoSuchBucket", "ContainerNotFound")


def _parts(error: Exception) -> tuple[str, str]:
    """The server's part of the text, and the library's.

    A key may imitate either, but it stands before the first, is escaped within it, and has no line breaks.
    """
    text, _, debug = str(error).partition("\n\nDebug source:")
    return text[max(text.rfind("non-2xx status code"), 0) :], debug
