"""Conditions and templates of relay.yaml, sandboxed. Everybody may import it."""
