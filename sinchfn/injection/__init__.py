"""Services by type: registered once, made when they are first wanted, handed to constructors by their annotations."""

from .container import ServiceContainer as ServiceContainer
from .keys import MISSING as MISSING
from .overrides import Override as Override
from .plans import Plan as Plan
from .registry import ServiceRegistry as ServiceRegistry
from .resolver import Resolver as Resolver
from .scope import Scope as Scope
