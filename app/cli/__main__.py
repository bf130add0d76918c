"""`python -m app.cli` is `relay`."""

from app.cli import main

main()
