"""Configuration: every setting, what is read from where, and what ``sinchfn config`` shows of it."""

from __future__ import annotations

from .function_config import CONFIG as CONFIG
from .function_config import DEFAULT as DEFAULT
from .function_config import DOTENV as DOTENV
from .function_config import ENVIRONMENT as ENVIRONMENT
from .function_config import MANIFEST as MANIFEST
from .function_config import ORIGINS as ORIGINS
from .function_config import FunctionConfig as FunctionConfig
from .function_config import default_of as default_of
from .function_config import load_config as load_config
from .function_config import read_config as read_config
from .settings import LOCATION as LOCATION
from .settings import SETTINGS as SETTINGS
