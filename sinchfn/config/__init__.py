"""Configuration: the settings, the files and variables that they are read from, and ``FunctionConfig``."""
