"""Controllers: the class style. Base classes, routes of one's own, and how a method is called."""

from .bases import AgentController as AgentController
from .bases import ElevenLabsController as ElevenLabsController
from .bases import SinchController as SinchController
from .bases import SinchConversationController as SinchConversationController
from .bases import SinchVoiceController as SinchVoiceController
from .decorators import OwnRoute as OwnRoute
from .decorators import delete as delete
from .decorators import get as get
from .decorators import patch as patch
from .decorators import post as post
from .decorators import put as put
from .decorators import route as route
from .endpoints import EventMethods as EventMethods
from .endpoints import Method as Method
from .endpoints import PayloadMethod as PayloadMethod
from .endpoints import RoutedMethod as RoutedMethod
from .endpoints import base_of as base_of
from .endpoints import own_routes as own_routes
from .overrides import near_misses as near_misses
from .overrides import overridden as overridden
from .overrides import refuse_foreign as refuse_foreign
from .parameters import LEADING_OF_FUNCTION as LEADING_OF_FUNCTION
from .parameters import LEADING_OF_METHOD as LEADING_OF_METHOD
from .parameters import Parameters as Parameters
from .rules import Rules as Rules
