"""Tools to test functions: sockets in memory, a client for real servers, and the platform's side of a stream.

They are not needed to serve a function.
"""

from ..errors import HandshakeRefused as HandshakeRefused
from .app_sockets import open_socket as open_socket
from .app_sockets import stream_url as stream_url
from .memory_sockets import MemorySocket as MemorySocket
from .memory_sockets import memory_sockets as memory_sockets
from .socket_client import SocketClient as SocketClient
from .stream_caller import StreamCaller as StreamCaller
