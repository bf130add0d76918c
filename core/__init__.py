"""What the receiver, the workers and the connectors share. No Flask, no Celery and no vendor in here."""

from core import lean_imports

# Here, because whatever runs for long imports this package before any of those that it is about.
lean_imports.make_imports_lean()
