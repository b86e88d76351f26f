"""What functions are tested with: sockets in memory, a client for real servers, and the platform's side of a stream.

Nothing of it is needed to serve a function.
"""

from .caller import StreamCaller as StreamCaller
from .client import HandshakeRefused as HandshakeRefused
from .client import SocketClient as SocketClient
from .memory import MemorySocket as MemorySocket
from .memory import memory_sockets as memory_sockets
from .opening import open_socket as open_socket
from .urls import stream_url as stream_url
