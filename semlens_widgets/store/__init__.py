"""The analysis on disk: tables, the manifest of what is finished, locks."""
