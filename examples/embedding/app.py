"""An existing Flask app that takes in a function under /voice, and another under /support."""

from pathlib import Path

from flask import Flask, session

from sinchfn import SinchFunctions

HERE = Path(__file__).parent


def create_app() -> Flask:
    """The shop's own app, with two functions in it."""
    app = Flask(__name__)
    app.secret_key = "change me"

    @app.get("/")
    def shop() -> dict[str, int]:
        session["visits"] = session.get("visits", 0) + 1
        return {"visits": session["visits"]}

    SinchFunctions(HERE / "voice").init_app(app, url_prefix="/voice")
    SinchFunctions(HERE / "support").init_app(app, url_prefix="/support")
    return app
