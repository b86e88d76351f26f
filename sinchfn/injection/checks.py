"""What is checked at start: services that are missing, that would outlive what they need, or that need themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ..errors import FunctionError
from .catalogue import Catalogue
from .keys import MISSING, name_of
from .makings import cycle
from .plans import Parameter, Plan
from .recipes import Recipe, ServiceKind


def find_faults(catalogue: Catalogue, given: Collection[Any]) -> list[str]:
    """A sentence or two for each fault of what is registered."""
    recipes = [recipe for recipe in catalogue.recipes.values() if _is_used(catalogue, recipe)]
    faults: list[str] = []
    for recipe in recipes:
        try:
            plan = recipe.plan
        except FunctionError as error:
            faults.append(str(error))
        else:
            faults += plan_faults(catalogue, plan, given, recipe.kind)
    return faults or [cycle(list(map(name_of, path))) for path in _cycles(catalogue, recipes, given)]


def plan_faults(catalogue: Catalogue, plan: Plan, given: Collection[Any], kind: ServiceKind) -> list[str]:
    """What keeps a plan from being carried out, for something of this kind."""
    return [
        fault
        for parameter in plan.parameters
        if parameter.key is not MISSING and (fault := _fault(catalogue, plan, parameter, given, kind))
    ]


def _fault(catalogue: Catalogue, plan: Plan, parameter: Parameter, given: Collection[Any], kind: ServiceKind) -> str:
    key = parameter.key
    needed = catalogue.kind_of(key)
    is_singleton = kind is ServiceKind.SINGLETON
    if is_singleton and needed is ServiceKind.SCOPED:
        return _captive(plan, parameter, "is made anew for each request (add_scoped)")
    if needed is not None or parameter.fallback is not MISSING or (key in given and not is_singleton):
        return ""
    if key in given:
        return _captive(plan, parameter, "is of one request")
    return f"{catalogue.missing(plan.what, parameter.name, key)} {catalogue.remedy(key, () if is_singleton else given)}"


def _captive(plan: Plan, parameter: Parameter, why: str) -> str:
    return (
        f'{plan.what} is made once per process, but its argument "{parameter.name}" wants {name_of(parameter.key)}, '
        f"which {why}: it would be kept beyond its end. Register it with services.add_scoped as well."
    )


def _is_used(catalogue: Catalogue, recipe: Recipe) -> bool:
    return recipe.factory is not None and recipe.key not in catalogue.overrides.in_force


def _cycles(catalogue: Catalogue, recipes: list[Recipe], given: Collection[Any]) -> Iterator[list[Any]]:
    """Paths that end where they begin; of services in several circles not every one."""
    done: set[Any] = set()
    for start in recipes:
        path: list[Any] = []
        ways: list[Iterator[Any]] = [iter([start.key])]
        while ways:
            key = next(ways[-1], MISSING)
            if key is MISSING:
                ways.pop()
                if path:
                    done.add(path.pop())
            elif key in path:
                yield [*path[path.index(key) :], key]
            elif key not in done:
                path.append(key)
                ways.append(_needed(catalogue, key, given))


def _needed(catalogue: Catalogue, key: Any, given: Collection[Any]) -> Iterator[Any]:
    recipe = catalogue.recipes.get(key)
    if recipe is None or not _is_used(catalogue, recipe):
        return
    for parameter in recipe.plan.parameters:
        hidden = recipe.kind is ServiceKind.SCOPED and parameter.key in given
        if not hidden and parameter.key in catalogue.recipes:
            yield parameter.key
