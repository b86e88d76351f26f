"""Sinch Voice API v1: callbacks that come in, SVAML that goes out."""

from .callbacks import AceRequest as AceRequest
from .callbacks import DiceRequest as DiceRequest
from .callbacks import IceRequest as IceRequest
from .callbacks import NotifyRequest as NotifyRequest
from .callbacks import PieRequest as PieRequest
from .fallbacks import error_answer as error_answer
from .fallbacks import invalid_input as invalid_input
from .fallbacks import service_unavailable as service_unavailable
from .svaml import AceSvamlBuilder as AceSvamlBuilder
from .svaml import AgentProvider as AgentProvider
from .svaml import IceSvamlBuilder as IceSvamlBuilder
from .svaml import MenuBuilder as MenuBuilder
from .svaml import MenuTemplates as MenuTemplates
from .svaml import PieSvamlBuilder as PieSvamlBuilder
from .svaml import RecordingOptions as RecordingOptions
from .svaml import SipOptions as SipOptions
from .svaml import Svaml as Svaml
from .svaml import create_ace_builder as create_ace_builder
from .svaml import create_ice_builder as create_ice_builder
from .svaml import create_menu as create_menu
from .svaml import create_pie_builder as create_pie_builder
