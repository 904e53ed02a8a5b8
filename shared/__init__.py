"""What flows rest on: wiring and settings, adapters, the domain."""

__version__ = "0.1.0"
