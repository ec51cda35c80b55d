"""Helpers and programs that run beside unmodified MPyC."""
