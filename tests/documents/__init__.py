"""What is sent, held against the vendors' own OpenAPI documents: a job of its own (`make documents`).

The documents lie beside the repository, for their licences do not let them into it. Whoever has none of them cannot run
this; nothing else in `tests/` needs them.
"""
