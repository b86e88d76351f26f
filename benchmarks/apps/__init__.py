"""The apps to compare. Each one does the job of ``job.py``."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple


class App(NamedTuple):
    """One app: the letter of its row, what it is, and its module."""

    letter: str
    title: str
    module: str
    needs: str = "flask"

    @property
    def is_installed(self) -> bool:
        return find_spec(self.needs) is not None


#: The apps in the order of the tables. Ratios are to ``REFERENCE``.
APPS = (
    App("a", "sinchfn, all hooks on, SVAML builder", "apps.sinchfn_builder"),
    App("a2", "sinchfn, all hooks on, dict", "apps.sinchfn_dict"),
    App("a3", "sinchfn, all hooks on, controllers", "apps.sinchfn_controller"),
    App("b", "Flask by hand", "apps.flask_by_hand"),
    App("b2", "Flask by hand, with id, log and ledger", "apps.flask_with_records"),
    App("c", "functions-framework", "apps.functions_framework_app", "functions_framework"),
    App("d", "bare WSGI callable", "apps.bare_wsgi"),
)

REFERENCE = "b"


def installed() -> list[App]:
    """Return the apps that can run here."""
    return [app for app in APPS if app.is_installed]
