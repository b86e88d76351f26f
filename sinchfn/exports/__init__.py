"""What a function module exports: its endpoints, their names and their kinds."""

from .export import Export as Export
from .export import Handler as Handler
from .export import Kind as Kind
from .export import Reads as Reads
from .export import Row as Row
from .names import CALLBACKS as CALLBACKS
from .names import IMPLICIT_CALLBACKS as IMPLICIT_CALLBACKS
from .names import RESERVED as RESERVED
from .names import ROOT as ROOT
from .names import seems_meant as seems_meant
from .reading import controllers_of as controllers_of
from .reading import read_exports as read_exports
from .routes import DeclaredRoute as DeclaredRoute
from .routes import mapped_route as mapped_route
from .table import Exports as Exports
