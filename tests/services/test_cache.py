"""The cache: one contract, three backends, and what happens to each of them in the world outside."""

from __future__ import annotations

import json
import math
import os
import re
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache as once
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinchfn.errors import CacheError, ConfigError, ExtraError
from sinchfn.services.cache import BACKENDS, Cache, check_cache_url, open_cache
from sinchfn.services.cache.sqlite import SqliteBackend
from sinchfn.services.cache.urls import SCHEMES
from tests.harness.app import become_nobody
from tests.harness.redis import RedisServer, started_redis

ON_DISK_AND_IN_REDIS = pytest.mark.parametrize("kind", ["sqlite", "redis"])

#: Hypothesis makes many examples in one run of a test; what they share is under keys of its own.
many = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

Open = Callable[..., Cache]


@pytest.fixture(scope="session")
def server() -> Iterator[RedisServer]:
    """The server of all tests that leave it as it is."""
    with started_redis() as made:
        yield made


@pytest.fixture(params=["memory", "sqlite", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str:
    if kind == "redis":
        return str(request.getfixturevalue("server").url)
    return {"memory": "memory:", "sqlite": "sqlite:data/cache.db"}[kind]


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Iterator[Open]:
    """``opened()``, ``opened("other function")``: caches at one place, of namespaces that no other test has."""
    made: list[Cache] = []
    of_test = uuid4().hex

    def make(namespace: str = "fn") -> Cache:
        made.append(open_cache(url, folder=tmp_path, namespace=namespace + of_test))
        return made[-1]

    yield make
    for cache in made:
        cache.close()


@pytest.fixture
def cache(opened: Open) -> Cache:
    return opened()


@pytest.fixture
def sqlite_cache(tmp_path: Path) -> Iterator[Cache]:
    """A cache in ``data/cache.db`` below `tmp_path`."""
    made = open_cache("sqlite:data/cache.db", folder=tmp_path, namespace="fn")
    yield made
    made.close()


@contextmanager
def redis_cache(url: str, namespace: str = "fn") -> Iterator[Cache]:
    made = open_cache(url, folder=Path("/"), namespace=namespace)
    try:
        yield made
    finally:
        made.close()


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -1,
        2**63,
        10**300,
        0.1,
        -0.0,
        1e-300,
        1.7976931348623157e308,
        "",
        "text",
        '\0 \x1f " \\ \u2028 å 你 😀',
        [],
        {},
        [[], {}, [None]],
        {"": {"a b": [1, 2.5, "x", None, True, {"deep": []}]}},
        "x" * 1_000_000,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_value_comes_back_as_it_was(cache: Cache, value: Any) -> None:
    cache.set("key", value)
    got = cache.get("key")
    assert (got, type(got), repr(got)) == (value, type(value), repr(value))


texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200)


@many
@given(key=keys, value=json_values)
def test_any_json_comes_back_under_any_key(cache: Cache, key: str, value: Any) -> None:
    cache.set(key, value)
    assert cache.get(key) == cache.get_many([key])[0] == value
    assert repr(cache.get(key)) == repr(value)
    assert cache.has(key)
    assert cache.keys() == [key]
    assert cache.delete(key)
    assert not cache.has(key)


def test_what_is_got_is_a_copy(cache: Cache) -> None:
    value = {"steps": ["a"]}
    cache.set("key", value)
    value["steps"].append("b")
    cache.get("key")["steps"].append("c")
    cache.get_many(["key"])[0]["steps"].append("d")
    assert cache.get("key") == {"steps": ["a"]}


def test_a_tuple_becomes_a_list_and_a_subclass_its_base(cache: Cache) -> None:
    class Name(str):
        __slots__ = ()

    cache.set("key", {"at": (1, (2,)), Name("name"): Name("x")})
    assert cache.get("key") == {"at": [1, [2]], "name": "x"}
    assert type(cache.get("key")["name"]) is str


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def inside_itself() -> Any:
    value: dict[str, Any] = {"a": 1}
    value["self"] = [value]
    return value


def test_two_hundred_levels_are_not_too_deep(cache: Cache) -> None:
    cache.set("key", nested(200))
    assert cache.get("key") == nested(200)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (datetime.now(UTC), "value is of type datetime; write it as text: value.isoformat()."),
        ([date.today()], "value[0] is of type date; write it as text: value[0].isoformat()."),
        ({"a": timedelta(1)}, "write it as a number of seconds: value['a'].total_seconds()."),
        (Decimal(1), "write it as text: str(value)."),
        (uuid4(), "write it as text: str(value)."),
        ({"a": {1}}, "write it as a list: list(value['a'])."),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_has_a_text_of_its_own_is_told_how_to_write_it(cache: Cache, value: Any, told: str) -> None:
    with pytest.raises(TypeError, match=re.escape(told)):
        cache.set("call:1", value)


def test_a_row_of_a_database_is_told_how_to_write_it(cache: Cache) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute("select 1 as n").fetchone()
        with pytest.raises(TypeError, match=re.escape("value[0] is of type Row; write it as a dict: dict(value[0]).")):
            cache.set("call:1", [row])
        cache.set("call:1", [dict(row)])
        assert cache.get("call:1") == [{"n": 1}]


@pytest.mark.parametrize(
    ("value", "place", "fault"),
    [
        (b"x", "value is", "bytes"),
        ({"a": [0, {1, 2}]}, "value['a'][1]", "set"),
        ({"when": datetime.now(UTC)}, "value['when']", "datetime"),
        ([Decimal(1)], "value[0]", "Decimal"),
        (SimpleNamespace(), "value is", "SimpleNamespace"),
        ([1.0, math.nan], "value[1]", "nan"),
        ({"a": {"b": -math.inf}}, "value['a']['b']", "-inf"),
        (math.inf, "value is", "inf"),
        ({"a": {1: "x"}}, "a key of value['a']", "int (1)"),
        ({None: 1}, "a key of value", "NoneType (None)"),
        ({(1, 2): 1}, "a key of value", "tuple ((1, 2))"),
        ("\ud800", "value is", "surrogate"),
        (["\ud83d\ude00"], "value[0]", "surrogate"),
        ({"a\udfff": 1}, "a key of value", "surrogate"),
        (nested(201), "[0]", "200 levels"),
        (nested(100_000), "[0]", "200 levels"),
        (inside_itself(), "['self']", "contains itself"),
        (10**5000, "value is", "digits"),
        ((x for x in "ab"), "value is", "generator"),
        (print, "value is", "builtin_function"),
    ],
    ids=lambda part: part[:18] if isinstance(part, str) else "",
)
def test_what_is_no_json_is_refused_with_key_place_and_type(cache: Cache, value: Any, place: str, fault: str) -> None:
    cache.set("call:1", "before")
    with pytest.raises(TypeError) as caught:
        cache.set("call:1", value)
    for part in ("'call:1'", place, fault):
        assert part in str(caught.value)
    assert len(str(caught.value)) < 600
    assert cache.get("call:1") == "before"


# --- keys -----------------------------------------------------------------------------------------------------------

METHODS: dict[str, Callable[[Cache, Any], object]] = {
    "set": lambda cache, key: cache.set(key, 1),
    "get": lambda cache, key: cache.get(key),
    "get_many": lambda cache, key: cache.get_many(["fine", key]),
    "has": lambda cache, key: cache.has(key),
    "delete": lambda cache, key: cache.delete(key),
    "extend": lambda cache, key: cache.extend(key, 1),
    "increment": lambda cache, key: cache.increment(key),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("", "empty"),
        ("a\0b", "NUL"),
        ("x" * 1_000_000, "1000000 bytes"),
        ("x" * 1025, "1025 bytes"),
        ("å" * 513, "1026 bytes"),
        ("\ud800", "surrogate"),
        (b"key", "found a bytes"),
        (7, "found 7 (int)"),
        (None, "A cache key must be a str, found None."),
    ],
    ids=lambda part: repr(part)[:12],
)
def test_a_key_that_is_none_is_refused_by_every_method(cache: Cache, method: str, key: Any, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        METHODS[method](cache, key)
    assert len(str(caught.value)) < 250
    assert cache.keys() == []


@pytest.mark.parametrize("key", ["x" * 1024, "å" * 512, " ", "\n", "a/../b", "*", "[", "🙂", "NULL", "a:b:c", "\x7f"])
def test_odd_keys_are_keys(cache: Cache, key: str) -> None:
    cache.set(key, 1)
    assert cache.keys() == [key]
    assert cache.get(key) == 1
    assert cache.increment(key) == 2
    assert cache.extend(key, 60)
    assert cache.delete(key)


def test_keys_are_told_apart_exactly(cache: Cache) -> None:
    alike = ["a", "A", "a ", " a", "ａ", "á", "a\u0301", "a\n"]
    for key in alike:
        cache.set(key, [key])
    assert cache.get_many(alike) == [[key] for key in alike]


# --- presence -------------------------------------------------------------------------------------------------------


def test_a_miss_gives_the_default(cache: Cache) -> None:
    assert cache.get("key") is None
    assert cache.get("key", "other") == "other"
    assert not cache.has("key")


def test_a_cached_none_is_there(cache: Cache) -> None:
    cache.set("key", None)
    assert cache.get("key", "other") is None
    assert cache.has("key")
    assert cache.get_many(["key"]) == [None]


def test_delete_tells_whether_there_was_something(cache: Cache) -> None:
    cache.set("key", 1)
    assert cache.delete("key") is True
    assert cache.delete("key") is False
    assert cache.get("key") is None


def test_get_many_keeps_the_order(cache: Cache) -> None:
    for number in range(2000):
        cache.set(f"k{number}", number)
    asked = [f"k{number}" for number in range(3000, -1, -1)]
    assert cache.get_many(asked) == [number if number < 2000 else None for number in range(3000, -1, -1)]
    assert cache.get_many(iter(["k1", "none", "k1"])) == [1, None, 1]
    assert cache.get_many([]) == []


def test_get_many_of_a_text_is_a_mistake(cache: Cache) -> None:
    with pytest.raises(TypeError, match=re.escape("write ['abc'] instead of 'abc'")):
        cache.get_many("abc")


# --- expiry ---------------------------------------------------------------------------------------------------------


def test_what_has_expired_is_seen_by_no_method(cache: Cache) -> None:
    for key in ("get", "has", "delete", "extend"):
        cache.set(key, 1, ttl=0.05)
    cache.set("kept", 2, ttl=60)
    cache.increment("counter", 5, ttl=0.05)
    cache.set("extended", 3)
    cache.extend("extended", 0.05)
    time.sleep(0.06)
    assert cache.keys() == ["kept"]
    assert cache.get("get", "gone") == "gone"
    assert cache.get_many(["get", "kept", "extended"]) == [None, 2, None]
    assert not cache.has("has")
    assert not cache.delete("delete")
    assert not cache.extend("extend", 60)
    assert cache.get("extend") is None
    assert cache.increment("counter") == 1


def test_extend_counts_from_now_whether_later_or_sooner(cache: Cache) -> None:
    cache.set("longer", 1, ttl=0.5)
    cache.set("shorter", 2, ttl=3600)
    assert cache.extend("longer", 3600) is True
    assert cache.extend("shorter", 0.5) is True
    assert cache.extend("absent", 3600) is False
    time.sleep(0.51)
    assert cache.get_many(["longer", "shorter", "absent"]) == [1, None, None]


def test_a_second_set_begins_a_new_time(cache: Cache) -> None:
    cache.set("longer", 1, ttl=0.05)
    cache.set("longer", 2, ttl=3600)
    cache.set("shorter", 1, ttl=3600)
    cache.set("shorter", 2, ttl=0.05)
    time.sleep(0.06)
    assert cache.get_many(["longer", "shorter"]) == [2, None]


def test_a_time_is_exact_to_the_millisecond(cache: Cache) -> None:
    before = time.monotonic()
    cache.set("key", 1, ttl=0.25)
    after = time.monotonic()
    is_there = True
    while is_there:
        asked = time.monotonic()
        is_there = cache.has("key")
        answered = time.monotonic()
        if is_there:
            assert asked < after + 0.25 + 0.002
        else:
            assert answered > before + 0.25 - 0.002
        time.sleep(0.0002)


@pytest.mark.parametrize("ttl", [0.0001, 0.001, 1, 1.5, 10**12, 1e300, 10**400, sys.float_info.max])
def test_any_positive_finite_time_is_taken(cache: Cache, ttl: float) -> None:
    cache.set("key", 1, ttl=ttl)
    cache.increment("counter", ttl=ttl)
    cache.set("other", 1)
    assert cache.extend("other", ttl)
    if ttl > 1:
        assert cache.get_many(["key", "counter", "other"]) == [1, 1, 1]


@pytest.mark.parametrize(
    "ttl",
    [0, 0.0, -1, -1e300, math.nan, math.inf, -math.inf, True, None, "60", Decimal(60)],
    ids=repr,
)
def test_any_other_time_is_refused_and_nothing_changes(cache: Cache, ttl: Any) -> None:
    cache.set("call:1", "before")
    cache.increment("counter")
    for attempt in (
        lambda: cache.set("call:1", "after", ttl),
        lambda: cache.extend("call:1", ttl),
        lambda: cache.increment("call:1", ttl=ttl),
        lambda: cache.set("new", "after", ttl=ttl),
    ):
        with pytest.raises(ValueError, match=r"'(call:1|new)' is .* it takes a positive, finite number of seconds"):
            attempt()
    assert (cache.get("call:1"), cache.keys()) == ("before", ["call:1", "counter"])


@pytest.mark.parametrize(
    ("ttl", "told"),
    [
        (None, "To keep it for good, give a large one, such as 10*365*86400."),
        (math.inf, "To keep it for good, give a large one, such as 10*365*86400."),
        (
            timedelta(minutes=5),
            "is a timedelta: it takes a positive, finite number of seconds. Write .total_seconds().",
        ),
    ],
    ids=repr,
)
def test_what_is_no_time_is_told_what_to_write(cache: Cache, ttl: Any, told: str) -> None:
    for attempt in (lambda: cache.set("key", 1, ttl), lambda: cache.extend("key", ttl)):
        with pytest.raises((TypeError, ValueError), match=re.escape(told)):
            attempt()


# --- counters -------------------------------------------------------------------------------------------------------


def test_a_counter_counts(cache: Cache) -> None:
    assert cache.increment("n") == 1
    assert cache.increment("n") == 2
    assert cache.increment("n", 40) == 42
    assert cache.increment("n", -50) == -8
    assert cache.increment("n", 0) == -8
    assert cache.get("n") == -8
    cache.set("n", 7)
    assert cache.increment("n") == 8


def test_a_counter_starts_its_ttl_when_it_is_made(cache: Cache) -> None:
    cache.increment("short", ttl=0.5)
    cache.increment("short", ttl=3600)
    cache.increment("long", ttl=3600)
    cache.increment("long", ttl=0.05)
    cache.set("set", 5, ttl=3600)
    cache.increment("set", ttl=0.05)
    time.sleep(0.51)
    assert cache.get_many(["short", "long", "set"]) == [None, 2, 6]
    assert cache.increment("short") == 1


def test_a_counter_is_exact_to_its_last_bit(cache: Cache) -> None:
    top = 2**63 - 1
    assert cache.increment("up", top - 1) == top - 1
    assert cache.increment("up") == top
    assert cache.increment("down", -top) == -top
    assert cache.increment("down", -1) == -(2**63)
    assert cache.get_many(["up", "down"]) == [top, -(2**63)]


@pytest.mark.parametrize(
    ("there", "by"), [(2**63 - 1, 1), (-(2**63), -1), (0, 2**63), (0, -(2**63) - 1), (10**30, 1), (-(10**30), 0)]
)
def test_a_counter_beyond_64_bits_is_an_error_and_stays(cache: Cache, there: int, by: int) -> None:
    cache.set("n", there)
    with pytest.raises(OverflowError, match=r"'n'.* beyond 64 bit"):
        cache.increment("n", by)
    assert cache.get("n") == there


@pytest.mark.parametrize("there", [None, True, 1.0, 1e300, "5", "", "text" * 100, [1], {"a": 1}], ids=repr)
def test_what_is_no_whole_number_cannot_be_incremented(cache: Cache, there: Any) -> None:
    cache.set("call:1", there)
    with pytest.raises(TypeError, match=r"'call:1': its value is not a whole number, found .{1,60}$"):
        cache.increment("call:1")
    assert cache.get("call:1") == there


@pytest.mark.parametrize("by", [1.0, True, "1", None, math.nan])
def test_a_counter_grows_by_whole_numbers(cache: Cache, by: Any) -> None:
    with pytest.raises(TypeError, match=rf"'call:1' by .*{by}.*: it takes a whole number"):
        cache.increment("call:1", by)
    assert not cache.has("call:1")


def test_threads_lose_no_increment(cache: Cache) -> None:
    def count() -> None:
        for _ in range(50):
            cache.increment("n")

    in_threads(8, count)
    assert cache.get("n") == 400


def in_threads(number: int, work: Callable[[], None]) -> None:
    """Run `work` in so many threads at once; raises what one of them raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


# --- the keys that match --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("*", ["*", "[x]", "a", "a-", "a\\b", "aa", "ab", "b", "call:1", "call:22", "line\nbreak", "å"]),
        ("", []),
        ("a", ["a"]),
        ("a*", ["a", "a-", "a\\b", "aa", "ab"]),
        ("*b", ["a\\b", "ab", "b"]),
        ("**b**", ["a\\b", "ab", "b", "line\nbreak"]),
        ("?", ["*", "a", "b", "å"]),
        ("??", ["a-", "aa", "ab"]),
        ("?*", ["*", "[x]", "a", "a-", "a\\b", "aa", "ab", "b", "call:1", "call:22", "line\nbreak", "å"]),
        ("call:?", ["call:1"]),
        ("call:[0-9]*", ["call:1", "call:22"]),
        ("call:[!1]*", ["call:22"]),
        ("call:[^1]*", ["call:22"]),
        ("[ab]", ["a", "b"]),
        ("[a-z]", ["a", "b"]),
        ("[!a-z]", ["*", "å"]),
        ("[z-a]", []),
        ("[!z-a]", ["*", "a", "b", "å"]),
        ("a[a-]", ["a-", "aa"]),
        ("a[-a]", ["a-", "aa"]),
        ("[[]x]", ["[x]"]),
        ("[x]", []),
        ("[[]x[]]", ["[x]"]),
        ("\\[x\\]", ["[x]"]),
        ("[x", []),
        ("\\*", ["*"]),
        ("[*]", ["*"]),
        ("[\\*]", ["*"]),
        ("a\\\\b", ["a\\b"]),
        ("a[\\\\]b", ["a\\b"]),
        ("a\\", []),
        ("\\a\\b", ["ab"]),
        ("*l*e*", ["line\nbreak"]),
        ("å*", ["å"]),
        ("[à-ÿ]", ["å"]),
        ("A*", []),
        ("a.", []),
        ("(a|b)", []),
        ("[]", []),
        ("[!]", []),
    ],
)
def test_keys_are_those_that_match(cache: Cache, pattern: str, matching: list[str]) -> None:
    for key in ["call:22", "å", "b", "aa", "a-", "a", "call:1", "*", "[x]", "line\nbreak", "a\\b", "ab"]:
        cache.set(key, 1)
    assert cache.keys(pattern) == matching


def test_a_bracket_that_is_never_closed_and_a_backslash_at_the_end_are_themselves(cache: Cache) -> None:
    for key in ("[a", "[]a", "a\\", "[!", "x]"):
        cache.set(key, 1)
    assert [cache.keys(pattern) for pattern in ("[a", "[]a", "a\\", "[!", "[]]*", "x[]]", "x]")] == [
        ["[a"],
        ["[]a"],
        ["a\\"],
        ["[!"],
        [],
        ["x]"],
        ["x]"],
    ]


def matches(pattern: str, key: str) -> bool:
    """What a pattern means, said in another way: by trying every possibility, character by character."""

    @once
    def rest(at: int, of: int) -> bool:
        if at == len(pattern):
            return of == len(key)
        if pattern[at] == "*":
            return rest(at + 1, of) or (of < len(key) and rest(at, of + 1))
        if of == len(key):
            return False
        if pattern[at] == "?":
            return rest(at + 1, of + 1)
        members, after = members_of(pattern, at + 1) if pattern[at] == "[" else (None, 0)
        if members is not None:
            return members(key[of]) and rest(after, of + 1)
        if pattern[at] == "\\" and at + 1 < len(pattern):
            at += 1
        return pattern[at] == key[of] and rest(at + 1, of + 1)

    return rest(0, 0)


def members_of(pattern: str, at: int) -> tuple[Callable[[str], bool] | None, int]:
    """The test that brackets make, and the index behind them; None if they stay open."""
    found = re.match(r"([!^]?+)((?:\\.|[^\\])(?:\\.|[^\\\]])*)\]", pattern[at:], re.DOTALL)
    if not found:
        return None, 0
    parts = re.findall(r"(\\.|.)(?:-(\\.|[^\]]))?", found[2], re.DOTALL)
    ranges = [(low[-1], (high or low)[-1]) for low, high in parts]
    negated = bool(found[1])
    return lambda char: any(low <= char <= high for low, high in ranges) != negated, at + found.end()


ALPHABET = st.sampled_from("ab*?[]!^-\\:é\n")

#: Parts of patterns, and what each part stands for.
PARTS = [
    *((char, st.just(char)) for char in "ab:é\n"),
    ("*", st.text(ALPHABET, max_size=3)),
    ("?", ALPHABET),
    ("[ab]", st.sampled_from("ab")),
    ("[^a]", ALPHABET.filter(lambda char: char != "a")),
    ("[a-é]", st.sampled_from("abé")),
    *((f"\\{char}", st.just(char)) for char in "a*?[]\\"),
]


@st.composite
def patterns_and_names(draw: st.DrawFn) -> tuple[str, set[str], set[str]]:
    """A pattern, names made from its parts, and any other names."""
    parts = draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=6))
    made = st.tuples(*(names for _, names in parts)).map("".join).filter(bool)
    others = st.sets(st.text(ALPHABET, min_size=1, max_size=6), max_size=6)
    return "".join(pattern for pattern, _ in parts), draw(st.sets(made, max_size=6)), draw(others)


@many
@given(patterns_and_names())
def test_names_made_from_a_pattern_match_it(opened: Open, drawn: tuple[str, set[str], set[str]]) -> None:
    pattern, made, others = drawn
    cache = opened(uuid4().hex)
    for name in made | others:
        cache.set(name, 1)
    assert cache.keys(pattern) == sorted(made | {name for name in others if matches(pattern, name)})
    cache.close()


@many
@given(pattern=st.text(ALPHABET, max_size=12), names=st.sets(st.text(ALPHABET, min_size=1, max_size=6), max_size=12))
def test_a_pattern_means_the_same_everywhere(opened: Open, pattern: str, names: set[str]) -> None:
    cache = opened(uuid4().hex)
    for name in names:
        cache.set(name, 1)
    assert cache.keys(pattern) == sorted(name for name in names if matches(pattern, name))
    cache.close()


@pytest.mark.parametrize("pattern", ["*a" * 2000 + "b", "*?" * 2000, "*[a-z]" * 600 + "!", "[" * 4096, "[\\]" * 1300])
def test_no_pattern_takes_long(cache: Cache, pattern: str) -> None:
    cache.set("a" * 1024, 1)
    cache.set("ab" * 512, 1)
    begin = time.monotonic()
    assert cache.keys(pattern) == []
    assert time.monotonic() - begin < 5  # a safety net: a pattern that backtracks takes years


@pytest.mark.parametrize("pattern", [None, b"*", 3, "x" * 4097])
def test_what_is_no_pattern_is_refused(cache: Cache, pattern: Any) -> None:
    with pytest.raises(ValueError, match="pattern of keys"):
        cache.keys(pattern)


# --- functions side by side -----------------------------------------------------------------------------------------

NAMESPACES = ["", "a", "a:", "a:b", "a:b:", "*", "a*", "[a]", "%3A", ":", "a%3Ab", "A", "é", "a\0b", "\ud800", "{a}"]


def test_no_namespace_sees_another(opened: Open) -> None:
    caches = {namespace: opened(namespace) for namespace in NAMESPACES}
    for namespace, cache in caches.items():
        for key in ("k", "b:k", ":k", "b:b:k"):
            cache.set(key, [repr(namespace), key])
        cache.increment("counter", len(namespace))
    for namespace, cache in caches.items():
        assert cache.keys() == [":k", "b:b:k", "b:k", "counter", "k"]
        assert cache.get_many(["k", "b:k", ":k"]) == [[repr(namespace), key] for key in ("k", "b:k", ":k")]
        assert cache.get("counter") == len(namespace)
    for cache in caches.values():
        assert cache.delete("k")
        assert cache.keys("k") == []


@ON_DISK_AND_IN_REDIS
def test_a_namespace_is_shared_by_all_who_open_it(opened: Open) -> None:
    one, two = opened(), opened()
    one.set("key", "å")
    assert two.get("key") == "å"
    assert two.increment("n") == 1
    assert one.increment("n") == 2
    one.close()
    assert two.get("n") == 2
    assert one.get("n") == 2  # opened again by itself


# --- several threads and processes ----------------------------------------------------------------------------------


@many
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["set", "get", "has", "delete", "extend", "increment", "get_many", "keys"]),
            st.sampled_from(["a", "b", "c"]),
            st.integers(-3, 3),
        ),
        max_size=25,
    )
)
def test_any_sequence_of_calls_is_what_it_is_on_a_dict(opened: Open, steps: list[tuple[str, str, int]]) -> None:
    cache, model = opened(uuid4().hex), {}
    for step, key, number in steps:
        if step == "set":
            cache.set(key, number)
            model[key] = number
        elif step == "increment":
            model[key] = model.get(key, 0) + number
            assert cache.increment(key, number) == model[key]
        elif step == "delete":
            assert cache.delete(key) == (model.pop(key, None) is not None)
        elif step == "get_many":
            assert cache.get_many(["a", key, "b"]) == [model.get("a"), model.get(key), model.get("b")]
        elif step == "keys":
            assert cache.keys() == sorted(model)
        elif step == "extend":
            assert cache.extend(key, 60) == (key in model)
        else:
            assert (cache.get(key), cache.has(key)) == (model.get(key), key in model)
    cache.close()


def forked(work: Callable[[], object]) -> int:
    """Start a process that does `work`, and ends with 0 if that raised nothing."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException as error:
        os.write(2, f"in the child: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def joined(*pids: int) -> None:
    """Wait for the end of these processes."""
    for pid in pids:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@ON_DISK_AND_IN_REDIS
def test_eight_processes_with_four_threads_lose_no_increment(opened: Open) -> None:
    cache = opened()

    def hammer() -> None:
        for _ in range(25):
            cache.increment("one key")

    joined(*[forked(lambda: in_threads(4, hammer)) for _ in range(8)])
    assert cache.get("one key") == 8 * 4 * 25


@contextmanager
def going_on(work: Callable[[], object], threads: int = 1) -> Iterator[None]:
    """Meanwhile, threads do `work` again and again."""
    stop = threading.Event()
    busy = [threading.Thread(target=lambda: [work() for _ in iter(stop.is_set, True)]) for _ in range(threads)]
    for thread in busy:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in busy:
            thread.join()


@ON_DISK_AND_IN_REDIS
def test_a_cache_in_use_survives_a_fork(opened: Open) -> None:
    cache = opened()
    cache.set("made by", "parent")

    def child() -> None:
        assert cache.get("made by") == "parent"
        for number in range(20):
            cache.set(f"child:{number}", os.getpid())
            cache.increment("both")

    with going_on(lambda: cache.increment("busy")):
        children = [forked(child) for _ in range(4)]
        for _ in range(20):
            cache.increment("both")
        joined(*children)
    assert cache.get("both") == 100
    assert len(cache.keys("child:*")) == 20


def test_a_fork_while_threads_are_at_work_does_not_lock_up_the_child(cache: Cache) -> None:
    with going_on(lambda: [cache.set("k", 1), cache.delete("k")], threads=3):
        joined(*[forked(lambda: [cache.set("k", 2), cache.increment("k"), cache.delete("k")]) for _ in range(5)])


def test_what_a_child_wrote_outlives_the_close_of_its_parent(tmp_path: Path) -> None:
    # SQLite's locks do not pass to a child: with connections carried over, the parent would take itself for the last
    # user of the file, and delete the log that the child still writes to.
    cache = open_cache("sqlite:cache.db", folder=tmp_path, namespace="fn")
    cache.set("parent", 1)
    to_child, to_parent = os.pipe(), os.pipe()

    def child() -> None:
        cache.set("child 1", 1)
        os.write(to_parent[1], b"x")
        os.read(to_child[0], 1)
        cache.set("child 2", 2)

    pid = forked(child)
    os.read(to_parent[0], 1)
    cache.close()
    os.write(to_child[1], b"x")
    joined(pid)
    for end in (*to_child, *to_parent):
        os.close(end)
    assert cache.get_many(["parent", "child 1", "child 2"]) == [1, 1, 2]
    cache.close()


# --- opening --------------------------------------------------------------------------------------------------------


def test_opening_touches_nothing(tmp_path: Path) -> None:
    for url in ("memory:", "sqlite:data/cache.db", "redis://127.0.0.1:1", "unix:///nowhere/redis.sock"):
        open_cache(url, folder=tmp_path, namespace="fn").close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_opened_is_not_imported() -> None:
    code = (
        "import sys; from pathlib import Path; from sinchfn.services.cache import open_cache\n"
        "open_cache('memory:', folder=Path('.'), namespace='x').set('a', 1)\n"
        "print([m for m in ('redis', 'sqlite3') if m in sys.modules])\n"
        "open_cache('sqlite:x.db', folder=Path('.'), namespace='x')\n"
        "print([m for m in ('redis', 'sqlite3') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['sqlite3']"]


def test_a_relative_path_is_below_the_folder_and_an_absolute_one_is_itself(tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where" / "ä.db"
    for url, file in ((f"sqlite:{elsewhere}", elsewhere), ("sqlite:x/y/cache", tmp_path / "fn/x/y/cache")):
        cache = open_cache(url, folder=tmp_path / "fn", namespace="fn")
        cache.set("key", 1)
        assert file.is_file()
        assert repr(cache) == f"<Cache sqlite:{file}>"
        cache.close()


#: What cannot be the URL of a cache, and what is said about it.
NO_URLS = [
    ("sqlite:", "the name of the file is missing"),
    ("sqlite:data/", "the name of the file is missing"),
    ("sqlite:..", "the name of the file is missing"),
    ("sqlite://data/cache.db", "write sqlite:data/cache.db"),
    ("sqlite:///data/cache.db", "write sqlite:/data/cache.db"),
    ("sqlite:////data/cache.db", "write sqlite:/data/cache.db"),
    ("sqlite::memory:", "memory:"),
    ("sqlite:cache.db?mode=ro", "no options"),
    ("sqlite:a\0b", "NUL"),
    ("memory:name", "memory: alone"),
    ("redsi://host", "redis"),
    ("nothing", "memory, sqlite, redis"),
    ("redis:host", "the // after the scheme is missing"),
    ("redis://host:port/0", "host or port"),
    ("redis://host:99999/0", "host or port"),
    ("redis://[::1/0", "host or port"),
    ("redis://host/name", "must be a number"),
    ("redis://host/0/1", "must be a number"),
    ("redis://host#1", "it has a #"),
    ("redis://host?decode_responses=true", "decode_responses"),
    ("redis://host?retry_on_timeout=true", "retry_on_timeout"),
    ("unix://", "socket"),
    ("unix://run/redis.sock", "unix:///"),
    ("redis:/host", "the // after the scheme is missing"),
    ("redis://host?db=x", "option db must be a number"),
]

#: What only redis-py knows.
NO_OPTIONS = [
    ("redis://host?socket_timeout=soon", "socket_timeout"),
    ("redis://host?sokcet_timeout=1", "sokcet_timeout"),
    ("redis://host?max_connections=-1", "max_connections"),
    ("redis://host?protocol=9", "protocol"),
    ("redis://host?ssl_cert_reqs=none", "ssl_cert_reqs"),
    ("rediss://host?ssl_cert_reqs=perhaps", "SSL Certificate"),
]


@pytest.mark.parametrize(("url", "told"), NO_URLS + NO_OPTIONS)
def test_a_url_that_cannot_be_one_is_refused_at_once(tmp_path: Path, url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)) as caught:
        open_cache(url, folder=tmp_path, namespace="fn")
    assert "SINCHFN_CACHE_URL" in str(caught.value)


@pytest.mark.parametrize(("url", "told"), NO_URLS)
def test_a_url_that_cannot_be_one_is_refused_without_opening_it(url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)) as caught:
        check_cache_url(url)
    assert "SINCHFN_CACHE_URL" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("memory:", "memory://", "MEMORY:", "sqlite:data/cache.db", "sqlite:/var/lib/c\u00e4che.db", "redis://"),
        *("redis://u:p%2Fw@host:6379/0?socket_timeout=5", "rediss://[::1]/1", "unix:///run/redis.sock?db=2"),
    ],
)
def test_a_url_that_can_be_one_is_found_so(url: str) -> None:
    check_cache_url(url)


def test_every_scheme_has_a_backend() -> None:
    assert set(SCHEMES) == set(BACKENDS)


def test_to_check_a_url_imports_no_backend_and_makes_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from sinchfn.errors import ConfigError; from sinchfn.services.cache import check_cache_url\n"
        "for url in sys.argv[1:]:\n"
        "    try: check_cache_url(url)\n"
        "    except ConfigError: print('refused')\n"
        "print([m for m in ('redis', 'sqlite3', '_sqlite3', 'asyncio') if m in sys.modules])\n"
    )
    urls = ["memory:", "sqlite:x/y.db", "redis://127.0.0.1:1/0", "unix:///nowhere", "redis:/h", "sqlite:"]
    command = [sys.executable, "-c", code, *urls]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines() == ["refused", "refused", "[]"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    ["redis://u:pass-word@host:x/0", "redis://u:pass-word@host/0?no=1", "redis://:pass-w/ord@host", "redis://h#p"],
)
def test_a_refusal_never_shows_a_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_cache(url, folder=tmp_path, namespace="fn")
    assert "pass-w" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("memory://", "memory:"),
        ("redis://", "redis://localhost:6379/0"),
        ("redis://user:pass-word@host:7777/3", "redis://host:7777/3"),
        ("redis://host?db=4&password=pass-word", "redis://host:6379/4"),
        ("rediss://:pass-word@[::1]/1?ssl_cert_reqs=none", "rediss://[::1]:6379/1"),
        ("unix://user:pass-word@/run/redis.sock?db=2", "unix:///run/redis.sock"),
        ("REDIS://Host", "redis://host:6379/0"),
    ],
)
def test_a_cache_shows_its_place_and_no_password(tmp_path: Path, url: str, shown: str) -> None:
    assert repr(open_cache(url, folder=tmp_path, namespace="fn")) == f"<Cache {shown}>"


def test_redis_without_its_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ExtraError, match=re.escape("pip install 'sinchfn[redis]'")):
        open_cache("redis://localhost", folder=tmp_path, namespace="fn")


# --- memory ---------------------------------------------------------------------------------------------------------


def test_memory_is_freed_by_calls_that_have_nothing_to_do_with_what_expired() -> None:
    tracemalloc = pytest.importorskip("tracemalloc")
    cache = open_cache("memory:", folder=Path("/"), namespace="fn")
    cache.set("other", 1)
    tracemalloc.start()
    try:
        for number in range(2000):
            cache.set(f"key:{number}", "x" * 10_000)
        full = tracemalloc.get_traced_memory()[0]
        for number in range(2000):
            cache.extend(f"key:{number}", 0.001)
        time.sleep(1.1)
        for _ in range(200):
            cache.get("other")
        assert full > 20_000_000
        assert tracemalloc.get_traced_memory()[0] < full / 10
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_by_setting_the_same_keys_again_and_again() -> None:
    tracemalloc = pytest.importorskip("tracemalloc")
    cache = open_cache("memory:", folder=Path("/"), namespace="fn")
    tracemalloc.start()
    try:
        sizes = []
        for _ in range(3):
            for number in range(5000):
                cache.set(f"key:{number % 10}", number)
                cache.extend(f"key:{number % 10}", 7200)
                cache.delete(f"key:{number % 7}")
            sizes.append(tracemalloc.get_traced_memory()[0])
        assert sizes[-1] < 100_000
    finally:
        tracemalloc.stop()


# --- SQLite ---------------------------------------------------------------------------------------------------------


def file_of(folder: Path) -> Path:
    return folder / "data" / "cache.db"


def test_the_file_is_for_its_owner_alone(sqlite_cache: Cache, tmp_path: Path) -> None:
    sqlite_cache.set("key", 1)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in file_of(tmp_path).parent.iterdir()}
    assert modes == dict.fromkeys(["cache.db", "cache.db-wal", "cache.db-shm"], 0o600)


def test_a_cache_survives_a_restart(sqlite_cache: Cache, tmp_path: Path) -> None:
    sqlite_cache.set("key", {"a": 1})
    sqlite_cache.close()
    assert [file.name for file in file_of(tmp_path).parent.iterdir()] == ["cache.db"]
    again = open_cache("sqlite:data/cache.db", folder=tmp_path, namespace="fn")
    assert again.get("key") == {"a": 1}
    again.close()


def test_writers_killed_in_the_middle_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    file = file_of(tmp_path)
    acknowledged: dict[str, int] = {}
    for around in range(3):
        reading, writing = os.pipe()
        names = [f"{around}.{worker}" for worker in range(4)]
        writers = [forked(partial(write_for_ever, tmp_path, name, writing)) for name in names]
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            lines = [told.readline() for _ in range(300)]
            for pid in writers:
                os.kill(pid, signal.SIGKILL)
            lines += [line for line in told.readlines() if line.endswith(b"\n")]
        for pid in writers:
            os.waitpid(pid, 0)
        acknowledged.update((line.split()[0].decode(), int(line.split()[1])) for line in lines)
        with sqlite3.connect(file) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        cache = open_cache("sqlite:data/cache.db", folder=tmp_path, namespace="fn")
        assert cache.get_many(acknowledged) == list(acknowledged.values())
        assert cache.increment("afterwards") == around + 1
        cache.close()
    assert len(acknowledged) >= 900


def write_for_ever(folder: Path, name: str, told: int) -> None:
    cache = open_cache("sqlite:data/cache.db", folder=folder, namespace="fn")
    number = 0
    while True:
        number += 1
        cache.set(f"{name}:{number}", number)
        cache.set("all write this", "x" * 3000)
        os.write(told, f"{name}:{number} {number}\n".encode())


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Cache]:
    """A cache in ``data/cache.db`` that waits a moment for a lock instead of five seconds."""
    made = Cache(SqliteBackend(file_of(tmp_path), patience=0.2), "fn")
    yield made
    made.close()


def test_a_file_locked_for_too_long_is_an_error_and_what_is_there_stays(impatient: Cache, tmp_path: Path) -> None:
    impatient.set("call:1", "before")
    other = sqlite3.connect(file_of(tmp_path), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for attempt in (
        lambda: impatient.set("call:1", "after"),
        lambda: impatient.increment("call:1"),
        lambda: impatient.delete("call:1"),
        lambda: impatient.extend("call:1", 1),
    ):
        with pytest.raises(
            CacheError, match=r"'call:1' in the cache sqlite:/.*data/cache\.db: .* for more than 0\.2 s"
        ):
            attempt()
    assert impatient.get("call:1") == "before"
    assert impatient.keys() == ["call:1"]
    other.execute("ROLLBACK")
    other.close()
    impatient.set("call:1", "after")
    assert impatient.get("call:1") == "after"


def test_every_thread_that_waits_for_a_locked_file_is_told(impatient: Cache, tmp_path: Path) -> None:
    impatient.set("call:1", "before")
    other = sqlite3.connect(file_of(tmp_path), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    told: list[str] = []

    def attempt() -> None:
        with pytest.raises(CacheError, match=r"'call:1' .* is locked for more than 0\.2 s") as caught:
            impatient.set("call:1", "after")
        told.append(str(caught.value))

    in_threads(6, attempt)
    assert len(told) == 6
    other.close()
    assert impatient.get("call:1") == "before"
    impatient.set("call:1", "after")


def test_a_file_that_is_locked_for_a_while_is_waited_for(sqlite_cache: Cache, tmp_path: Path) -> None:
    sqlite_cache.set("key", 1, ttl=0.1)
    sqlite_cache.increment("expires meanwhile", 7, ttl=0.1)
    other = sqlite3.connect(file_of(tmp_path), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
    release.start()
    assert sqlite_cache.increment("expires meanwhile") == 1
    assert not sqlite_cache.has("key")
    release.join()
    other.close()


def test_a_file_that_is_no_database_is_named_and_left_alone(sqlite_cache: Cache, tmp_path: Path) -> None:
    file = file_of(tmp_path)
    file.parent.mkdir()
    file.write_text("these are the notes of somebody\n" * 100)
    for attempt in (lambda: sqlite_cache.set("call:1", 1), lambda: sqlite_cache.get("call:1")):
        with pytest.raises(
            CacheError, match=r"'call:1' in the cache .*cache\.db: file is not a database. Move it away"
        ):
            attempt()
    assert file.read_text().startswith("these are the notes")
    file.unlink()
    sqlite_cache.set("call:1", 1)
    assert sqlite_cache.get("call:1") == 1


def test_a_folder_that_cannot_be_made_is_an_error_until_it_can(sqlite_cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, where a folder should be")
    for attempt in (lambda: sqlite_cache.set("call:1", 1), sqlite_cache.keys):
        with pytest.raises(
            CacheError, match=r"(call:1|\*)' in the cache sqlite:.*: (File exists|Not a dir).*Let this user"
        ):
            attempt()
    (tmp_path / "data").unlink()
    sqlite_cache.set("call:1", 1)
    assert sqlite_cache.get("call:1") == 1


def as_nobody(work: Callable[[], None]) -> None:
    """Do `work` in a process whom the rights of files concern, which they do not for root."""

    def in_child() -> None:
        become_nobody()
        work()

    joined(forked(in_child))


def test_a_folder_or_file_that_is_read_only_is_an_error() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        cache = open_cache("sqlite:cache.db", folder=folder, namespace="fn")
        for mode in (0o555, 0o755):
            folder.chmod(mode)
            as_nobody(lambda: refused(cache))
            folder.chmod(0o755)
        cache.set("key", 1)
        cache.close()
        (folder / "cache.db").chmod(0o444)
        folder.chmod(0o777)
        as_nobody(lambda: refused(cache))


def refused(cache: Cache) -> None:
    if os.access(Path(repr(cache)[14:-1]), os.W_OK):
        return
    with pytest.raises(
        CacheError, match=r"Cannot set 'call:1' in the cache sqlite:/.*cache\.db: .*Let this user write"
    ):
        cache.set("call:1", 1)


def test_a_full_disk_is_an_error_and_nothing_is_half_written(sqlite_cache: Cache, tmp_path: Path) -> None:
    def fill() -> None:
        sqlite_cache.set("small", "before")
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, unlimited[1]))
        written: dict[str, str] = {}

        def write() -> None:
            for number in range(100):
                sqlite_cache.set(f"call:{number}", f"{number}" * 10_000)
                written[f"call:{number}"] = f"{number}" * 10_000

        with pytest.raises(CacheError, match=r"'call:\d+' in the cache .*cache\.db: .*disk"):
            write()
        assert len(written) > 5
        with pytest.raises(CacheError):
            sqlite_cache.set("small", "x" * 500_000)
        assert sqlite_cache.get("small") == "before"
        assert sqlite_cache.keys("call:*") == sorted(written)
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        assert sqlite_cache.get_many(written) == list(written.values())
        sqlite_cache.set("small", "x" * 300_000)

    joined(forked(fill))
    assert sqlite_cache.get("small") == "x" * 300_000
    connection = sqlite3.connect(file_of(tmp_path))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


@pytest.mark.parametrize("names", [["cache.db"], ["cache.db", "cache.db-wal", "cache.db-shm"], ["cache.db-wal"], None])
def test_a_file_that_is_removed_while_in_use_is_made_anew(
    sqlite_cache: Cache, tmp_path: Path, names: list[str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    folder = file_of(tmp_path).parent
    sqlite_cache.set("before", 1)
    in_threads(4, lambda: sqlite_cache.set("before", 1))
    if names is None:
        shutil.rmtree(folder)
    for name in names or ():
        (folder / name).unlink()
    other = open_cache("sqlite:data/cache.db", folder=tmp_path, namespace="fn")

    def meet() -> bool:
        in_threads(4, lambda: sqlite_cache.increment("after"))
        return bool(other.increment("after") == sqlite_cache.get("after"))

    end = time.monotonic() + 20
    while "opened again" not in caplog.text and time.monotonic() < end:
        with suppress(CacheError):  # for a moment this may be an error, which says so
            meet()
        time.sleep(0.02)
    assert "opened again" in caplog.text
    assert meet()
    other.close()
    connection = sqlite3.connect(file_of(tmp_path))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_the_file_gives_back_the_space_of_what_expired(sqlite_cache: Cache, tmp_path: Path) -> None:
    def size() -> int:
        return sum(file.stat().st_size for file in file_of(tmp_path).parent.iterdir())

    for number in range(3000):
        sqlite_cache.set(f"call:{number}", "x" * 3000)
    full = size()
    for number in range(3000):
        sqlite_cache.extend(f"call:{number}", 0.001)
    for number in range(500):
        sqlite_cache.set("other", number)
    sqlite_cache.close()
    assert full > 9_000_000
    assert size() < 1_000_000
    assert sqlite_cache.keys() == ["other"]


def test_the_log_does_not_grow_while_many_write_without_a_pause(sqlite_cache: Cache, tmp_path: Path) -> None:
    def write() -> None:
        for number in range(1200):
            sqlite_cache.set(f"call:{number}", "x" * 500)

    sqlite_cache.set("other", 1)
    log = tmp_path / "data" / "cache.db-wal"
    sizes = []
    writers = {forked(lambda: in_threads(4, write)) for _ in range(8)}
    while writers:
        sizes.append(log.stat().st_size)
        for pid in list(writers):
            if ended := os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG):
                assert ended.si_status == 0
                writers.discard(pid)
        time.sleep(0.005)
    assert max(sizes) < 80_000_000  # it is about 20 MB, and twice as much as this where nobody takes care of it


def test_a_cache_may_share_the_file_of_a_database(tmp_path: Path) -> None:
    own = sqlite3.connect(tmp_path / "function.db")
    own.execute("CREATE TABLE calls (id TEXT)")
    own.commit()
    cache = open_cache("sqlite:function.db", folder=tmp_path, namespace="fn")
    cache.set("key", 1)
    own.execute("INSERT INTO calls VALUES ('x')")
    own.commit()
    assert cache.get("key") == 1
    assert own.execute("SELECT * FROM calls").fetchall() == [("x",)]
    own.close()
    cache.close()


# --- Redis ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that a test may do to what it likes."""
    with started_redis() as made:
        yield made


@contextmanager
def client_of(server: RedisServer) -> Iterator[Any]:
    """What another program does in the same Redis."""
    client = redis.Redis(port=server.port)
    try:
        yield client
    finally:
        client.close()


def test_redis_is_asked_once_for_many_keys_and_never_for_all(own_server: RedisServer) -> None:
    with redis_cache(own_server.url) as cache, client_of(own_server) as client:
        cache.set("key", 1)
        cache.get_many([f"key:{number}" for number in range(500)])
        cache.keys("key:*")
        asked = client.info("commandstats")
    assert asked["cmdstat_mget"]["calls"] == 1
    assert "cmdstat_scan" in asked
    assert "cmdstat_keys" not in asked
    assert "cmdstat_get" not in asked


def test_every_key_in_redis_has_an_expiry_and_an_hour_is_the_default(own_server: RedisServer) -> None:
    with redis_cache(own_server.url) as cache, client_of(own_server) as client:
        cache.set("a", 1)
        cache.increment("b")
        cache.set("c", 1, ttl=0.5)
        cache.extend("c", 3600)
        left = [client.pttl(name) for name in client.scan_iter()]
    assert len(left) == 3
    assert all(3_500_000 < milliseconds <= 3_600_000 for milliseconds in left)


def test_keys_finds_each_key_once_among_many_of_others(own_server: RedisServer) -> None:
    with redis_cache(own_server.url) as cache, client_of(own_server) as client:
        client.mset({f"other:{number}": 1 for number in range(5000)})
        for number in range(1500):
            cache.set(f"[*]:{number}", 1)
        client.set("sinchfn:fn:\xff".encode("latin-1"), 1)
        assert cache.keys("[[][*]\\]:*") == sorted(f"[*]:{number}" for number in range(1500))


def test_names_of_other_programs_that_can_be_no_keys_are_not_among_them(own_server: RedisServer) -> None:
    with redis_cache(own_server.url) as cache, client_of(own_server) as client:
        cache.set("mine", 1)
        [name] = client.scan_iter()
        start = name.removesuffix(b"mine")
        for foreign in (b"", b"\xff", b"nul\0", b"long" * 300):
            client.set(start + foreign, 1)
        client.set(start + b"a b//c", "1")
        assert cache.keys() == ["a b//c", "mine"]
        assert cache.get_many(cache.keys()) == [1, 1]


def test_a_counter_works_after_the_scripts_of_redis_are_flushed(own_server: RedisServer) -> None:
    with redis_cache(own_server.url) as cache, client_of(own_server) as client:
        for expected in (1, 2, 3):
            client.script_flush()
            assert cache.increment("n") == expected


def test_a_redis_that_was_restarted_is_used_again_without_a_failed_call(own_server: RedisServer) -> None:
    with redis_cache(own_server.url) as cache:
        in_threads(8, lambda: cache.set("key", 1))
        own_server.restart()
        cache.set("key", 2)
        in_threads(8, lambda: cache.increment("n"))
        own_server.restart()
        assert cache.increment("n") == 1
        own_server.restart()
        assert cache.get_many(["key", "n"]) == [None, None]


def test_a_redis_that_is_gone_is_an_error_until_it_is_back(own_server: RedisServer) -> None:
    with redis_cache(own_server.url) as cache:
        cache.set("call:1", 1)
        own_server.kill()
        place = re.escape(f"in the cache redis://127.0.0.1:{own_server.port}/0: ")
        for attempt in (*METHODS.values(), lambda cache, key: cache.keys(key)):
            with pytest.raises(
                CacheError, match=rf"'(call:1|fine)'( and 1 more)? {place}.*refused.*See whether it runs"
            ):
                attempt(cache, "call:1")
        own_server.start()
        assert cache.increment("call:1") == 1


def test_what_is_logged_of_a_failure_is_short(own_server: RedisServer, impatient: Cache, tmp_path: Path) -> None:
    impatient.set("call:1", 1)
    with redis_cache(own_server.url) as cache, closing(sqlite3.connect(tmp_path / "data/cache.db")) as other:
        own_server.kill()
        other.execute("begin immediate")
        for call in (*(partial(method, cache) for method in METHODS.values()), METHODS["set"]):
            with pytest.raises(CacheError) as caught:
                call("call:1") if call is not METHODS["set"] else call(impatient, "call:1")
            shown = traceback.format_exception(caught.value)
            assert not [line for line in shown if "site-packages" in line or "The above exception" in line]
            assert len(shown) < 8
        own_server.start()


def test_a_redis_that_hangs_is_an_error_and_nothing_is_counted_twice(own_server: RedisServer) -> None:
    with redis_cache(f"{own_server.url}?socket_timeout=0.2") as cache:
        cache.set("call:1", "before")
        cache.increment("n")
        own_server.suspend()
        for attempt in (
            lambda: cache.increment("n"),
            lambda: cache.get("call:1"),
            lambda: cache.get_many(["call:1", "n"]),
            lambda: cache.set("call:1", "after"),
        ):
            with pytest.raises(CacheError, match=r"Timeout.*whether it was done is not known"):
                attempt()
        own_server.resume()
        # Commands that were sent may yet be carried out, each once; and no answer is taken for that of another.
        assert cache.get("call:1") in ("before", "after")
        assert cache.increment("n") in (2, 3)
        assert cache.get("call:1") in ("before", "after")


def test_a_redis_that_hangs_holds_nobody_for_long(own_server: RedisServer) -> None:
    with redis_cache(own_server.url) as warm, redis_cache(own_server.url) as cold:
        warm.set("key", 1)
        own_server.suspend()
        begin = time.monotonic()
        raised: list[CacheError] = []

        def attempt(ask: Callable[[], object]) -> None:
            try:
                ask()
            except CacheError as error:
                raised.append(error)

        asks = [lambda: warm.get("key"), lambda: cold.get("key"), lambda: warm.increment("n"), cold.keys]
        threads = [threading.Thread(target=attempt, args=(ask,)) for ask in asks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(raised) == len(asks)
        assert time.monotonic() - begin < 10  # a safety net: with redis-py's own retries it takes a minute
        own_server.resume()
        assert warm.get("key") == 1


def test_a_value_of_another_program_is_an_error(own_server: RedisServer) -> None:
    with redis_cache(own_server.url) as cache, client_of(own_server) as client:
        client.rpush("sinchfn:fn:list", 1)
        client.set("sinchfn:fn:bytes", b"\xff\xfe")
        client.set("sinchfn:fn:text", "hello")
        client.set("sinchfn:fn:more", "1 2")
        for key, told in (
            ("list", "WRONGTYPE"),
            ("bytes", "not UTF-8"),
            ("text", "not JSON"),
            ("more", "not JSON"),
        ):
            with pytest.raises(CacheError, match=rf"Cannot get '{key}' .*{told}.*(A|a)nother|other programs"):
                cache.get(key)
        with pytest.raises(CacheError, match=r"Cannot increment 'list' .*WRONGTYPE"):
            cache.increment("list")
        with pytest.raises(TypeError, match="'text'"):
            cache.increment("text")
        assert cache.delete("list")
        assert cache.increment("list") == 1


def test_what_redis_refuses_is_said_with_its_remedy() -> None:
    with started_redis("--requirepass", "pass-word") as server:
        admin = redis.Redis(port=server.port, password="pass-word")
        with redis_cache(f"redis://127.0.0.1:{server.port}") as cache, failing("Authentication.*user and password"):
            cache.set("call:1", 1)
        with redis_cache(f"redis://:wrong@127.0.0.1:{server.port}") as cache, failing("user and password"):
            cache.set("call:1", 1)
        with redis_cache(f"redis://:pass-word@127.0.0.1:{server.port}/99") as cache, failing("(index|Database)"):
            cache.set("call:1", 1)
        with redis_cache(f"redis://:pass-word@127.0.0.1:{server.port}") as cache:
            cache.set("call:1", 1)
            admin.config_set("maxmemory", "1b")
            for attempt in (lambda: cache.set("call:1", 2), lambda: cache.increment("call:1")):
                with failing("maxmemory.*Raise its maxmemory"):
                    attempt()
            admin.config_set("maxmemory", "0")
            admin.replicaof("127.0.0.1", 1)
            for attempt in (lambda: cache.set("call:1", 2), lambda: cache.increment("call:1")):
                with failing("read only.*name the primary"):
                    attempt()
            assert cache.get("call:1") == 1
            admin.replicaof("NO", "ONE")
            admin.config_set("maxclients", "2")
            with redis_cache(f"redis://:pass-word@127.0.0.1:{server.port}") as third, failing("max.* clients"):
                third.set("call:1", 1)
            assert cache.increment("call:1") == 2
        admin.close()


@contextmanager
def failing(told: str) -> Iterator[None]:
    with pytest.raises(CacheError, match=f"(?s)'call:1' in the cache redis://.*{told}") as caught:
        yield
    assert "pass-word" not in "".join(map(str, (caught.value, caught.value.__cause__)))


def test_redis_behind_a_socket(own_server: RedisServer) -> None:
    with redis_cache(f"unix://{own_server.socket}?db=1") as cache, redis_cache(own_server.url) as database_0:
        cache.set("key", 1)
        assert cache.get("key") == 1
        assert database_0.keys() == []
        own_server.kill()
        with pytest.raises(CacheError, match=re.escape(f"unix://{own_server.socket}: ")):
            cache.get("key")


def test_text_in_redis_is_what_any_program_reads(own_server: RedisServer) -> None:
    with redis_cache(own_server.url, "my fn") as cache, client_of(own_server) as client:
        cache.set("å", {"é": [1]})
        assert client.get("sinchfn:my%20fn:å") == '{"é":[1]}'.encode()
        client.set("sinchfn:my%20fn:given", json.dumps({"a": "\u00e9"}))
        assert cache.get("given") == {"a": "é"}
