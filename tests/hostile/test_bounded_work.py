"""No request costs much more than an answer does, whatever its path and however much the function has."""

from __future__ import annotations

import time

import pytest
from flask import Flask

from sinchfn import FunctionError, SinchFunctions, create_app
from tests.harness.app import MakeApp, MakeFunction
from tests.harness.call import call

HANDLERS = "\n".join(f"def handler_{number}_of_many(context, request): return 'x'" for number in range(50))
CONTROLLER = """
from sinchfn import SinchController, get

class Files(SinchController):
    @get("{rule}")
    def file(self, **variables): return variables
"""


def cost_of(app: Flask, path: str, method: str = "GET") -> float:
    """The least time of several requests: what else the machine does counts as little as possible."""
    times = []
    for _ in range(15):
        start = time.perf_counter()
        call(app, method, path, data=b"{}" if method == "POST" else b"")
        times.append(time.perf_counter() - start)
    return min(times)


# --- paths that nothing answers -------------------------------------------------------------------------------------

#: Paths of about 4000 characters, as long as gunicorn takes.
LONG_PATHS = {
    "many segments": "/" + "ab/" * 1330,
    "many short segments": "/" + "a/" * 2000,
    "one long segment": "/" + "handler_1_of_" * 300,
    "one letter": "/" + "h" * 4000,
    "nearly a handler, often": "/" + "handler_7_of_mani/" * 220,
    "slashes": "/" * 4000 + "x",
    "escaped": "/" + "%01/" * 1000,
}


@pytest.mark.parametrize("path", LONG_PATHS.values(), ids=LONG_PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_long_path_that_nothing_answers_costs_a_few_times_what_an_answer_does(
    make_app: MakeApp, path: str, method: str
) -> None:
    source = {
        "function.py": f"{HANDLERS}\ndef ice(context, data): return None\n"
        "def setup(runtime):\n    runtime.on_websocket('/stream', lambda ws, request: None, protected=False)\n",
        "public/a/a/a/a.txt": "x",
    }
    app = make_app(source, WEBHOOK_PROTECTION="never")
    assert cost_of(app, path, method) < 25 * cost_of(app, "/handler_1_of_many", method)


def test_the_cost_does_not_grow_with_the_number_of_handlers(make_app: MakeApp) -> None:
    few = make_app("def users(context, request): return 'x'\n", "few")
    many = make_app("\n".join(f"def users_{number}(context, request): return 'x'" for number in range(1000)), "many")
    assert cost_of(many, "/usres_9/usres_10") < 25 * cost_of(few, "/usres_9/usres_10")


def test_near_misses_are_found_among_the_last_two_segments_alone(make_app: MakeApp) -> None:
    app = make_app("def users(context, request): return 'x'\n")
    for path, is_told in (("/usres", True), ("/a/usres", True), ("/usres/7", True), ("/usres/7/posts", False)):
        assert ("Did you mean" in call(app, "GET", path).json["error"]) is is_told, path


# --- routes that take long to match ---------------------------------------------------------------------------------

REFUSED = [
    "/<path:a>/x/<path:b>/y/<path:c>",
    "/<path:a>/x/<path:b>/x/<path:c>/y",
    "/<path:a>/<path:b>/<path:c>/<path:d>",
    "/x/<path:a>/<b>-<c>-<d>",
    "/<a>-<b>-<c>.zip",
    "/<a>-<b>_<c>.<d>",
    "/files/<a><b><c>.z",
    "/<path:a>-<b>.<c>/z",
    "/<string(maxlength=900):a>-<string(minlength=2):b>-<default:c>.z",
    "/<int:a><int:b><int:c><int:d>x",
    "/<any(a, aa):a><any(aa, a):b><any(a, aa, aaa):c>x",
    "/<any(a, ab):a>b<any(ab, a):b>b<any(c, a, ab):c>.z",
]
TAKEN = [
    "/<path:a>",
    "/<path:a>/x/<path:b>",
    "/<path:a>/x/<path:b>/y",
    "/<a>/<b>/<c>/<d>/<e>",
    "/<year>-<month>-<day>",
    "/<year>-<month>-<day>/posts",
    "/v<int:major>.<int:minor>.<int:patch>.zip",
    "/<name>-<version>.zip",
    "/<string(length=2):a>-<string(length=2):b>-<string(length=2):c>.z",
    "/<any(a, b):x>-<any(c, d):y>-<any(e, f):z>.z",
    "/<any(a, aa):x>/<any(a, aa):y>/<any(a, aa):z>/z",
    "/<uuid:a>-<uuid:b>-<uuid:c>.z",
]


@pytest.mark.parametrize("rule", REFUSED)
def test_a_route_that_takes_seconds_to_match_is_refused_at_start(make_app: MakeApp, rule: str) -> None:
    with pytest.raises(FunctionError, match=r"a long path would take seconds") as caught:
        make_app(CONTROLLER.format(rule=rule))
    assert rule in str(caught.value)
    assert "Files.file" in str(caught.value)


def test_so_is_one_that_is_made_of_the_prefix_and_the_rule_and_one_that_is_mapped(make_app: MakeApp) -> None:
    source = CONTROLLER.format(rule="/<path:b>/y/<path:c>").replace("class", "@sinchfn.route('/<path:a>/x')\nclass")
    mapped = """
from sinchfn import SinchFunctionInit

def _file(context, request, **variables): ...

class Init(SinchFunctionInit):
    def configure_app(self, app): app.map_get("/<path:a>/x/<path:b>/y/<path:c>", _file)
"""
    for number, text in enumerate((f"import sinchfn\n{source}", mapped)):
        with pytest.raises(FunctionError, match="a long path would take seconds"):
            make_app(text, f"fn{number}")


@pytest.mark.parametrize("rule", TAKEN)
def test_any_other_is_taken_and_costs_little(make_app: MakeApp, rule: str) -> None:
    app = make_app(CONTROLLER.format(rule=rule) + "\ndef users(context, request): return 'x'\n")
    answer = cost_of(app, "/users/users")
    for unit in ("x/", "-", "a", "1", "1.", "v1.", "a-b_", "x/-"):
        assert cost_of(app, "/" + unit * (4000 // len(unit)) + "!") < 60 * answer, unit


def test_a_path_that_hundreds_of_routes_read_whole_costs_little(make_app: MakeApp) -> None:
    routes = "\n".join(
        f"    @get('/<path:a>/end{number}')\n    def file_{number}(self, *, a): return a" for number in range(300)
    )
    app = make_app(f"from sinchfn import SinchController, get\n\nclass Files(SinchController):\n{routes}\n")
    assert call(app, "GET", f"/{'a/' * 900}end7").text == ("a/" * 900).strip("/")
    answer = cost_of(app, "/a/end7")
    for unit in ("a", "a/", "end7/"):
        assert cost_of(app, f"/{unit * (8000 // len(unit))}") < 60 * answer, unit


def test_a_route_with_two_open_ends_answers_paths_of_usual_length(make_app: MakeApp) -> None:
    app = make_app(CONTROLLER.format(rule="/<path:a>/x/<path:b>/y"))
    assert call(app, "GET", "/one/two/x/three/y").json == {"a": "one/two", "b": "three"}
    long = "/" + "a" * 250 + "/x/" + "b" * 250 + "/y"
    assert call(app, "GET", long).status == 200
    assert call(app, "GET", "/a" + long).status == 200
    assert call(app, "GET", "/" + "a" * 600 + "/x/b/y").status == 404


@pytest.mark.parametrize("rule", [*REFUSED, "/<path:a>/x/<path:b>/y", "/<name>-<version>.zip"])
def test_a_socket_takes_one_open_end(make_function: MakeFunction, rule: str) -> None:
    source = f"def setup(runtime):\n    runtime.on_websocket('{rule}', lambda ws, request, **variables: None)\n"
    with pytest.raises(FunctionError, match="a long path would take seconds"):
        create_app(make_function(source))


@pytest.mark.parametrize("rule", ["/<path:a>", "/<path:a>/x", "/rooms/<a>/<b>", "/<a>-<b>"])
@pytest.mark.parametrize("prefix", ["", "/fn"])
def test_a_socket_with_one_is_taken_and_costs_little(make_function: MakeFunction, rule: str, prefix: str) -> None:
    source = f"""
def users(context, request): return "x"
def setup(runtime):
    runtime.on_websocket("{rule}", lambda ws, request, **variables: None, protected=False)
"""
    folder, app = make_function(source), Flask("host")
    SinchFunctions(folder).init_app(app, url_prefix=prefix or None)
    answer = cost_of(app, f"{prefix}/users")
    for unit in ("x/", "-", "a"):
        assert cost_of(app, prefix + "/" + unit * (4000 // len(unit)) + "!") < 25 * answer, unit
