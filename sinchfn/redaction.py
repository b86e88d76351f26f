"""What is a secret, and how its value is struck out of a text.

A secret is the value of a variable whose name says so (:data:`SECRET_WORDS`, :data:`SECRET_ENDINGS`), or that the
manifest lists under ``secrets``; the password in a URL (``redis://:password@host``); and a ``name=value`` inside
another value whose name says so (``...;AccountKey=abc``, ``?password=abc``).

It is struck out as it is, and as it is commonly written into another text: escaped for JSON, Python, HTML or a URL, in
Base64 (also amid more of it, as in ``Authorization: Basic``), each of its lines by itself. What is *not* found: a part
of a secret, a hash of it, one that is compressed, reversed, in other letters (``.upper()``), in hexadecimal, or broken
up by something that wraps text (MIME's Base64, ``pprint`` of a long text with spaces).

A short one is struck out where it stands by itself. What the manifest marks may be short, or a number, such as a PIN:
it is not found within a longer word or number, amid more of it in Base64, or when it has one or two characters.

Values are struck out, names are not: the name of a field stays, even if a secret has the same letters.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache
from urllib.parse import quote, quote_plus, unquote

#: A variable whose name has one of these words holds a secret.
SECRET_WORDS = ("KEY", "SECRET", "TOKEN", "PASSWORD", "CREDENTIAL", "PASSWD", "PASSPHRASE")
#: Nor need it be written out: ``DB_PASS``. Within a name these are other words, as in ``BYPASS`` and ``PWD``.
SECRET_ENDINGS = ("_PASS", "_PWD")

#: Shorter values are not struck out: every line would be full of holes, and anybody could guess them anyway.
LEAST_SECRET = 4
#: Of what the manifest marks, shorter values are not: they are a part of nearly every text.
LEAST_MARKED = 3
#: Shorter ones only where they stand by themselves, neither within a word nor within a number.
LEAST_WITHIN = 8
#: Values that are no secret whatever the name says: ``PASSWORD_LOGIN=true``, ``KEYRING=none``. Nor is a number of fewer
#: than LEAST_WITHIN digits: ``MAX_TOKENS=4096``, ``KEY_SIZE=2048``.
ORDINARY = frozenset(("true", "false", "none", "null", "auto", "default", "enabled", "disabled", "always", "never"))

#: The longest part of a request in a log line or a usage record, in characters.
MOST_OF_REQUEST = 200
#: How much of the end of a longer one is kept.
KEPT_END = 50
#: The longest reason why a request was refused, in its log line: one of our sentences may quote several parts.
MOST_OF_REASON = 500

#: What stands in the place of a secret.
MASK = "***"

#: A user name in a URL without a password is one when it is as long as this: ``https://ghp_16C7e42F292c69@host``.
LEAST_USER_TOKEN = 16

#: The query parameter that carries the token of a stream's URL. Its value is struck out, whatever it is.
TOKEN_PARAMETER = "token"  # noqa: S105 - the name of a parameter, not a secret

_TOKEN = re.compile(rf"((?:^|[?&;]){TOKEN_PARAMETER}=)[^&#\s\"']+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def is_secret(name: str) -> bool:
    """Whether the variable of this name holds a secret."""
    capitals = name.upper()
    return capitals.endswith(SECRET_ENDINGS) or any(word in capitals for word in SECRET_WORDS)


def is_struck_out(value: str, is_marked: bool = False) -> bool:
    """Whether a secret of this value is struck out at all.

    :param is_marked: the manifest lists it under ``secrets``.
    """
    if is_marked:
        return len(value) >= LEAST_MARKED
    if len(value) < LEAST_SECRET or value.lower() in ORDINARY:
        return False
    return len(value) >= LEAST_WITHIN or not value.isdecimal()


def secrets_within(value: str) -> list[str]:
    """The passwords and tokens in a URL or connection string, as written and percent-decoded."""
    parts = [value[start:end] for start, end in _spans(value)]
    return list(dict.fromkeys([*parts, *map(unquote, parts)]))


def masked(value: str) -> str:
    """`value` with the passwords and tokens in it masked: ``redis://:***@host``."""
    for start, end in reversed(_spans(value)):
        value = value[:start] + MASK + value[end:]
    return value


def masked_anyhow(value: str) -> str:
    """The same, also where the URL is written so badly that nobody can say what in it is the password."""
    clean = masked(value)
    return MASK + value[value.rindex("@") :] if clean == value and "@" in value else clean


_URL = re.compile(r"://(?=(\S*))")
_AUTHORITY = re.compile(r"[^/?#]*")
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(:[0-9]*)?")
_NAMED = re.compile(r"(?:^|[?&;\s])([\w.-]+)=([^&;#\s]+)")


def _spans(value: str) -> list[tuple[int, int]]:
    """Where in a value there are secrets: from, to; in order."""
    spans = {match.span(2) for match in _NAMED.finditer(value) if is_secret(match[1])}
    for match in _URL.finditer(value):
        userinfo = _userinfo(match[1])
        user, colon, password = userinfo.partition(":")
        if colon and password:
            spans.add((match.end() + len(user) + 1, match.end() + len(userinfo)))
        elif len(user) >= LEAST_USER_TOKEN:
            spans.add((match.end(), match.end() + len(user)))
    return sorted(spans)


def _userinfo(rest: str) -> str:
    """What stands before the host in a URL without its scheme."""
    found = _AUTHORITY.match(rest)
    authority = found[0] if found else ""
    if "@" in authority:
        return authority.rpartition("@")[0]
    # A slash in the password, unquoted: then what seems to be the host has no port, but half a password.
    return rest.rpartition("@")[0] if not _HOST.fullmatch(authority) else ""


class Redaction:
    """Strikes the values of secrets out of a text.

    :param marked: those of them that the manifest lists under ``secrets``.
    """

    def __init__(self, secrets: Iterable[str] = (), marked: Iterable[str] = ()) -> None:
        self.marked = frozenset(marked)
        self.secrets = frozenset(secrets) | self.marked

    def also(self, secrets: Iterable[str]) -> Redaction:
        """One that strikes these out as well."""
        more = self.secrets.union(secrets)
        return self if more == self.secrets else Redaction(more, self.marked)

    @cached_property
    def _anywhere(self) -> tuple[str, ...]:
        long = [forms_of(value, value in self.marked) for value in self.secrets if len(value) >= LEAST_WITHIN]
        encoded = [base64_forms_of(value) for value in self.secrets if is_struck_out(value, value in self.marked)]
        return tuple(sorted(frozenset().union(*long, *encoded), key=len, reverse=True))

    @cached_property
    def _alone(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        short = [forms_of(value, value in self.marked) for value in self.secrets if len(value) < LEAST_WITHIN]
        return tuple((form, _by_itself(form)) for form in sorted(frozenset().union(*short), key=len, reverse=True))

    def __call__(self, text: str) -> str:
        for form in self._anywhere:  # one by one: `in` is many times faster than a pattern of alternatives
            if form in text:
                text = text.replace(form, MASK)
        for form, pattern in self._alone:
            if form in text:
                text = pattern.sub(MASK, text)
        return without_token(text)


#: No word and no number goes on before; the last letter of an escape (``%3D``, ``\\n``, ``\\xe4``) is neither.
_BEGIN = r"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2})|(?<=\\[abfnrtv])|(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"


def _by_itself(form: str) -> re.Pattern[str]:
    begin, end = (r"(?<!\d\.)", r"(?!\.\d)") if form.isdecimal() else ("", "")  # nor a decimal place
    return re.compile(rf"{_BEGIN}{begin}{re.escape(form)}(?!\w){end}")


def without_token(text: str) -> str:
    """`text` with the token of each stream URL in it masked."""
    return _TOKEN.sub(rf"\1{MASK}", text) if f"{TOKEN_PARAMETER}=" in text else text


def one_line(text: str) -> str:
    """`text` with control characters escaped, so that what a caller sent cannot write a log line of its own."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def brief(text: str, most: int = MOST_OF_REQUEST) -> str:
    """What a caller sent, for a log line or a record: escaped as by :func:`one_line`, and cut to `most` characters.

    Its end is kept, where a path names its handler. Strike secrets out first: half a secret is not found.
    """
    if len(text) <= most and len(line := one_line(text)) <= most:
        return line
    end = one_line(text[-KEPT_END:])[-KEPT_END:]
    return f"{one_line(text[:most])[: most - 1 - KEPT_END]}…{end}"


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _quoted(safe: str) -> Callable[[str], str]:
    return lambda text: quote(text, safe, errors="surrogateescape")


def _lower_hex(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), _quoted("")(text))


#: How a text is written inside another one.
ESCAPES: tuple[Callable[[str], str], ...] = (
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: repr(text)[1:-1],
    lambda text: ascii(text)[1:-1],
    lambda text: text.replace("\\", "\\\\").replace("'", "\\'"),
    lambda text: repr(_bytes_of(text))[2:-1],
    one_line,
)
WAYS: tuple[Callable[[str], str], ...] = (
    str,
    *ESCAPES,
    html.escape,
    _quoted(""),
    _quoted("/"),
    _quoted("!'()*"),  # as encodeURIComponent() of JavaScript does it
    _quoted(";,/?:@&=+$!'()*#"),  # and encodeURI()
    _lower_hex,
    lambda text: quote_plus(text, errors="surrogateescape"),
)


#: What is written alike in all of these ways.
_PLAIN = re.compile(r"[A-Za-z0-9._~-]+")


@lru_cache(maxsize=256)  # a process makes several of the same, and a test suite hundreds
def forms_of(secret: str, is_marked: bool = False) -> frozenset[str]:
    """Every way in which a secret may stand in a text, besides Base64; none for one that is not struck out."""
    if not is_struck_out(secret, is_marked):
        return frozenset()
    if _PLAIN.fullmatch(secret):
        return frozenset((secret,))
    lines = [line.strip() for line in secret.splitlines()]
    whole = [secret, secret.strip(), *(line for line in lines if len(line) >= LEAST_WITHIN)]
    once = {way(text) for text in whole for way in WAYS}
    # Text in JSON in a log line that is JSON, the repr of an exception that holds a repr: escaped twice.
    forms = {form for text in once for form in (text, *(escape(text) for escape in ESCAPES))}
    return frozenset(form for form in forms if is_struck_out(form, is_marked))


@lru_cache(maxsize=256)
def base64_forms_of(secret: str) -> frozenset[str]:
    """What the Base64 of any text with `secret` in it has in it; there are three, by where it begins.

    The characters at both ends, which hold bits of what stands around the secret, are left out.
    """
    data = _bytes_of(secret)
    cores = [
        b64encode(bytes(before) + data)[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6].decode()
        for before in range(3)
    ]
    long = [core for core in cores if len(core) >= LEAST_WITHIN - 2]
    return frozenset((*long, *(core.translate(_URL_SAFE) for core in long)))


_URL_SAFE = str.maketrans("+/", "-_")
