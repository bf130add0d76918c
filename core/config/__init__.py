"""The configuration: environment variables, relay.yaml, and the following of their changes. Everybody may import it."""
