"""WebSockets over the connections of a WSGI server. What is here knows nothing of Flask, nor of functions."""

from .carrier import CARRIER as CARRIER
from .carrier import Carrier as Carrier
from .connection import Connection as Connection
from .frames import FAILED as FAILED
from .frames import GOING_AWAY as GOING_AWAY
from .frames import LOST as LOST
from .frames import REFUSED as REFUSED
from .handled import HandledSocket as HandledSocket
from .handshake import HandshakeError as HandshakeError
from .handshake import accepting as accepting
from .handshake import check_handshake as check_handshake
from .handshake import check_origin as check_origin
from .slots import Slots as Slots
from .transports import Transport as Transport
from .transports import take_over as take_over
from .websocket import SocketStatistics as SocketStatistics
from .websocket import Timer as Timer
from .websocket import WebSocket as WebSocket
