"""CDP Pipeline: streaming pipelines over Stellar ledgers, extended by plugins."""

__version__ = "0.1.0"
