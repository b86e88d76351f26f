"""The exact keys of an S3 bucket.

The library obstore cuts slashes off the ends of a name, and fails a whole listing because of one name that it cannot
read, such as one with ``//`` in it. Consoles ("new folder") and other programs make such objects. So the bucket is
listed here if the variables hold the credentials, and by the library if only the machine has them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus, urlsplit
from xml.etree import ElementTree

if TYPE_CHECKING:
    from .providers import Location

#: Options that change the request to the bucket in a way that is not supported here.
OTHERWISE = ("aws_virtual_hosted_style_request", "aws_request_payer")

#: The hash of an empty body.
NOTHING = hashlib.sha256(b"").hexdigest()


class ListingError(Exception):
    """The listing failed. The library can list instead: it tries again, and its errors say more.

    :param is_passing: the store itself is in trouble; otherwise it does not support this kind of request.
    """

    def __init__(self, *, is_passing: bool) -> None:
        super().__init__()
        self.is_passing = is_passing


def can_list(location: Location) -> bool:
    """Return True if this is an S3 bucket with its credentials among the variables."""
    options = location.options
    has_keys = "aws_access_key_id" in options and "aws_secret_access_key" in options
    return location.scheme == "s3" and has_keys and not any(name in options for name in OTHERWISE)


def list_names(location: Location, prefix: str, *, connect: timedelta, read: timedelta) -> Iterator[str]:
    """Yield the names of all objects in the bucket that begin with `prefix`, byte for byte.

    :raises ListingError: the answer is not such a list.
    """
    import urllib3

    timeout = urllib3.Timeout(connect=connect.total_seconds(), read=read.total_seconds())
    region = location.options.get("aws_region", "us-east-1")
    base = urlsplit(location.endpoint or f"https://s3.{region}.amazonaws.com")
    path = f"{base.path.rstrip('/')}/{quote(location.bucket)}"
    query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
    with urllib3.PoolManager(1, retries=False, timeout=timeout) as pool:
        while query:
            asked = "&".join(f"{name}={quote(query[name], safe='')}" for name in sorted(query))
            headers = _signed(location.options, region, base.netloc.rpartition("@")[2], path, asked)
            try:
                answer = pool.request(
                    "GET", f"{base.scheme}://{base.netloc}{path}?{asked}", headers=headers, redirect=False
                )
            except urllib3.exceptions.HTTPError as error:
                raise ListingError(is_passing=False) from error
            if answer.status != 200:
                raise ListingError(is_passing=answer.status >= 429)
            names, more = _read(answer.data)
            yield from names
            query = query | {"continuation-token": more} if more else {}


def _read(answer: bytes) -> tuple[list[str], str]:
    """Return the names on one page, and the token of the next page."""
    try:
        page = ElementTree.fromstring(answer)  # noqa: S314 - of the store that keeps the function's files
    except ElementTree.ParseError:
        raise ListingError(is_passing=False) from None
    if not page.tag.endswith("ListBucketResult"):
        raise ListingError(is_passing=False)
    space = page.tag.removesuffix("ListBucketResult")
    names = [found.text or "" for found in page.iterfind(f"{space}Contents/{space}Key")]
    if page.findtext(f"{space}EncodingType") == "url":
        names = [unquote_plus(name, errors="surrogateescape") for name in names]
    return names, page.findtext(f"{space}NextContinuationToken") or ""


def _signed(options: Mapping[str, str], region: str, host: str, path: str, query: str) -> dict[str, str]:
    """Return the headers of a GET, signed by version 4 of Amazon's scheme."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-content-sha256": NOTHING, "x-amz-date": now}
    if token := options.get("aws_session_token"):
        headers["x-amz-security-token"] = token
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = hashlib.sha256("\n".join(("GET", path, query, lines, names, NOTHING)).encode()).hexdigest()
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    key = f"AWS4{options['aws_secret_access_key']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{request}".encode(), "sha256").hex()
    credential = f"{options['aws_access_key_id']}/{scope}"
    signed = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": signed}
