"""Secrets: which values are secret, and the redaction that strikes them out of a text.

A secret is the value of a variable whose name says so (:data:`SECRET_WORDS`, :data:`SECRET_ENDINGS`) or that the
manifest lists under ``secrets``; the password in a URL (``redis://:password@host``); and a ``name=value`` inside
another value whose name says so (``...;AccountKey=abc``, ``?password=abc``).

A secret is struck out in five spellings: as it is; escaped with backslashes, as in JSON and Python; percent-encoded;
with the entities of HTML; and in Base64, also as a part of a longer text (``Authorization: Basic``). Of a secret of
several lines, each line is struck out as well. *Not* found are a part of a secret, its hash, and a secret that is
compressed, reversed, in other letters (``.upper()``), in hexadecimal, or wrapped (MIME's Base64, ``pprint``).

A short secret is struck out only where it stands by itself. A marked one may be as short as a PIN: it is not found
within a longer word or number, nor within a longer Base64 text, and not at all with one or two characters.

Only values are struck out: the name of a field stays, even if a secret has the same letters.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from functools import cached_property, lru_cache
from html import escape
from urllib.parse import unquote

#: A variable whose name has one of these words holds a secret.
SECRET_WORDS = ("KEY", "SECRET", "TOKEN", "PASSWORD", "CREDENTIAL", "PASSWD", "PASSPHRASE")
#: Shorter words, which count only at the end: ``DB_PASS``, but not ``BYPASS`` or ``PWD``.
SECRET_ENDINGS = ("_PASS", "_PWD")

#: Shorter values are not struck out: they would leave every line full of holes, and anybody could guess them.
LEAST_SECRET = 4
#: The same for marked values: shorter ones are a part of nearly every text.
LEAST_MARKED = 3
#: Shorter values are struck out only where they stand by themselves, not within a word or number.
LEAST_WITHIN = 8
#: Values that are never secret: ``PASSWORD_LOGIN=true``, ``KEYRING=none``. Neither is a number of
#: fewer than LEAST_WITHIN digits: ``MAX_TOKENS=4096``, ``KEY_SIZE=2048``.
ORDINARY = frozenset(("true", "false", "none", "null", "auto", "default", "enabled", "disabled", "always", "never"))

#: The longest part of a request in a log line or a usage record, in characters.
MOST_OF_REQUEST = 200
#: How many characters at the end of a longer part are kept.
KEPT_END = 50
#: The longest reason for refusing a request in its log line. A reason may quote several parts of the request.
MOST_OF_REASON = 500

#: Replaces a secret.
MASK = "***"

#: From this length on, a user name without a password in a URL is a secret: ``https://ghp_16C7e42F292c69@host``.
LEAST_USER_TOKEN = 16

#: The query parameter that carries the token of a stream's URL. Its value is always struck out.
TOKEN_PARAMETER = "token"  # noqa: S105 - the name of a parameter, not a secret

_SECRET_NAME = re.compile("|".join((*SECRET_WORDS, *(rf"{ending}\Z" for ending in SECRET_ENDINGS))))
_TOKEN = re.compile(rf"((?:^|[?&;]){TOKEN_PARAMETER}=)[^&#\s\"']+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def is_secret(name: str) -> bool:
    """Return True if the variable of this name holds a secret."""
    return _SECRET_NAME.search(name.upper()) is not None


def is_struck_out(value: str, is_marked: bool = False) -> bool:
    """Return True if a secret of this value is struck out at all.

    :param is_marked: the manifest lists it under ``secrets``.
    """
    if is_marked:
        return len(value) >= LEAST_MARKED
    if len(value) < LEAST_SECRET or value.lower() in ORDINARY:
        return False
    return len(value) >= LEAST_WITHIN or not value.isdecimal()


def secrets_within(value: str) -> list[str]:
    """Return the passwords and tokens in a URL or connection string, as written and percent-decoded."""
    if "=" not in value and "://" not in value:
        return []
    parts = [value[start:end] for start, end in _spans(value)]
    return list(dict.fromkeys([*parts, *map(unquote, parts)]))


def masked(value: str) -> str:
    """Return `value` with the passwords and tokens in it masked: ``redis://:***@host``."""
    for start, end in reversed(_spans(value)):
        value = value[:start] + MASK + value[end:]
    return value


def masked_anyhow(value: str) -> str:
    """Like :func:`masked`, but mask all before an ``@`` if the URL is too malformed to find its password."""
    clean = masked(value)
    return MASK + value[value.rindex("@") :] if clean == value and "@" in value else clean


_URL = re.compile(r"://(?=(\S*))")
_AUTHORITY = re.compile(r"[^/?#]*")
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(:[0-9]*)?")
_NAMED = re.compile(r"(?:^|[?&;\s])([\w.-]+)=([^&;#\s]+)")


def _spans(value: str) -> list[tuple[int, int]]:
    """Return the start and end of each secret in a value, in order."""
    spans = {match.span(2) for match in _NAMED.finditer(value) if is_secret(match[1])}
    for match in _URL.finditer(value):
        authority = _AUTHORITY.match(match[1])[0]  # type: ignore[index]  # it matches an empty text too
        # The host is invalid: the password has an unquoted slash, and half of it stands before that slash.
        rest = authority if "@" in authority or _HOST.fullmatch(authority) else match[1]
        userinfo = rest.rpartition("@")[0]
        user, colon, password = userinfo.partition(":")
        if colon and password:
            spans.add((match.end() + len(user) + 1, match.end() + len(userinfo)))
        elif len(user) >= LEAST_USER_TOKEN:
            spans.add((match.end(), match.end() + len(user)))
    return sorted(spans)


class Redaction:
    """Strikes the values of secrets out of a text.

    :param marked: those of them that the manifest lists under ``secrets``.
    """

    def __init__(self, secrets: Iterable[str] = (), marked: Iterable[str] = ()) -> None:
        self.marked = frozenset(marked)
        self.secrets = frozenset(secrets) | self.marked

    def also(self, secrets: Iterable[str]) -> Redaction:
        """Return a redaction that strikes out these secrets as well."""
        more = self.secrets.union(secrets)
        return self if more == self.secrets else Redaction(more, self.marked)

    def __call__(self, text: str) -> str:
        for sign, spelled in self._searches:  # one by one: `in` is many times faster than a pattern of alternatives
            if sign in text:
                text = text.replace(sign, MASK) if spelled is None else _pattern_of(spelled).sub(MASK, text)
        return without_token(text)

    @cached_property
    def _searches(self) -> list[tuple[str, str | None]]:
        """Pairs of a sign, which is in the text if the secret is, and the secret; None if both are the same.

        The longest come first, because a secret may contain another one.
        """
        found: dict[str, tuple[str, str | None]] = {}
        for secret in self.secrets:
            is_marked = secret in self.marked
            if not is_struck_out(secret, is_marked):
                continue
            found |= {form: (form, None) for form in base64_forms_of(secret)}
            lines = [line.strip() for line in secret.splitlines()]
            for part in (secret, secret.strip(), *(line for line in lines if len(line) >= LEAST_WITHIN)):
                if is_struck_out(part, is_marked):
                    sign = max(_PLAIN.findall(part), key=len, default="")
                    found[part] = sign, None if sign == part and len(part) >= LEAST_WITHIN else part
        return [found[text] for text in sorted(found, key=len, reverse=True)]


#: Characters that are written alike in every spelling.
_PLAIN = re.compile(r"[A-Za-z0-9._~-]+")
_PIECE = re.compile(rf"(?P<plain>{_PLAIN.pattern})|(?P<backslashes>\\*)(?P<other>[^A-Za-z0-9._~\\-]?)")

#: Where a short secret begins: not within a word or number. Letters at the end of an escape (``%3D``, ``\\n``,
#: ``\\xe4``) are neither.
_BEGIN = r"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2})|(?<=\\[abfnrtv])|(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"


@lru_cache(maxsize=256)
def _pattern_of(secret: str) -> re.Pattern[str]:
    """Compile the pattern of all spellings of a secret, besides Base64."""
    spelled = _PIECE.sub(_spellings_of, secret)
    if len(secret) >= LEAST_WITHIN:
        return re.compile(spelled)
    begin, end = (r"(?<!\d\.)", r"(?!\.\d)") if secret.isdecimal() else ("", "")  # not the decimals of a number
    return re.compile(rf"{_BEGIN}{begin}{spelled}(?!\w){end}")


#: The letters that stand for a character behind a backslash.
_LETTERS = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}


def _spellings_of(piece: re.Match[str]) -> str:
    """Return the pattern of a piece of a secret: plain characters; or backslashes, one other character, or both.

    Each character may be spelled in its own way, because every program escapes others. What is escaped twice, as JSON
    in JSON, has up to seven more backslashes. No match gives backslashes back, so that none takes quadratic time.
    """
    if piece["plain"] or not piece[0]:
        return re.escape(piece[0])
    count, char = len(piece["backslashes"]), piece["other"]
    backslashes = rf"\\{{{count},{8 * count + 7}}}+"
    if count:
        backslashes = rf"(?:{backslashes}|(?i:%5c){{{count}}}\\{{0,7}}+)"
    if not char:
        return backslashes
    utf_8, utf_16 = _bytes_of(char), char.encode("utf-16-be", "surrogatepass").hex()
    behind_backslash = [
        *_LETTERS.get(char, ()),
        *(f"x{ord(char):02x}", f"U{ord(char):08x}"),
        r"\\{1,8}".join(f"x{byte:02x}" for byte in utf_8),
        r"\\{1,8}".join(f"u{utf_16[at : at + 4]}" for at in range(0, len(utf_16), 4)),
    ]
    spelled = [  # the character itself comes last: the escapes of "%" and "&" begin with it, and would lose their end
        rf"(?<=\\)(?i:{'|'.join(behind_backslash)})",
        f"(?i:{''.join(f'%{byte:02x}' for byte in utf_8)})",
        *map(re.escape, dict.fromkeys((escape(char), f"&#{ord(char)};", char))),
        *([r"\+"] if char == " " else ()),
    ]
    return f"{backslashes}(?:{'|'.join(spelled)})"


@lru_cache(maxsize=256)  # a process makes several redactions of the same secrets, and a test suite hundreds
def base64_forms_of(secret: str) -> frozenset[str]:
    """Return texts, one of them in the Base64 of any text with `secret` in it.

    There are three, by where the secret begins, each also in the URL-safe alphabet. The characters at both ends, which
    hold bits of the text around the secret, are left out.
    """
    data = _bytes_of(secret)
    cores = [
        b64encode(bytes(before) + data)[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6].decode()
        for before in range(3)
    ]
    long = [core for core in cores if len(core) >= LEAST_WITHIN - 2]
    return frozenset((*long, *(core.translate(_URL_SAFE) for core in long)))


_URL_SAFE = str.maketrans("+/", "-_")


def _bytes_of(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # another half of a surrogate pair
        return text.encode("utf-8", "surrogatepass")


def without_token(text: str) -> str:
    """Return `text` with the token of each stream URL in it masked."""
    return _TOKEN.sub(rf"\1{MASK}", text) if f"{TOKEN_PARAMETER}=" in text else text


def one_line(text: str) -> str:
    """Return `text` with control characters escaped, so that a caller cannot forge log lines."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def brief(text: str, most: int = MOST_OF_REQUEST) -> str:
    """Return what a caller sent, for a log line or a record: escaped as by :func:`one_line`, cut to `most` characters.

    The end is kept, because the end of a path names its handler. Strike secrets out first: half a secret is not found.
    """
    if len(text) <= most and len(line := one_line(text)) <= most:
        return line
    end = one_line(text[-KEPT_END:])[-KEPT_END:]
    return f"{one_line(text[:most])[: most - 1 - KEPT_END]}…{end}"
