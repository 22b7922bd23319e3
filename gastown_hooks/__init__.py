"""Gas Town: many coding agents, one ledger of plain files, nothing lost."""

__version__ = "0.1.0"
