"""Signature schemes: a class per scheme, and the table of the exports that each one guards."""

from __future__ import annotations

from .application import CONTENT_TYPES as CONTENT_TYPES
from .application import DIFFERENCES as DIFFERENCES
from .application import ApplicationScheme as ApplicationScheme
from .border import Body as Body
from .border import Headers as Headers
from .border import WebhookScheme as WebhookScheme
from .elevenlabs import ElevenLabsScheme as ElevenLabsScheme
from .nonce import NonceScheme as NonceScheme
from .shared_secret import SharedSecretScheme as SharedSecretScheme
from .table import GUARDED as GUARDED
from .table import OPTIONAL as OPTIONAL
from .table import VARIABLES as VARIABLES
from .table import plain_name as plain_name
from .table import scheme_at as scheme_at
from .table import scheme_of as scheme_of

#: Any of them.
Scheme = ApplicationScheme | WebhookScheme
