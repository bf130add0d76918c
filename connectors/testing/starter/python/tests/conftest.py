# The option --update-golden, and assertions that say what they compared.
pytest_plugins = ["connectors.testing.contract"]
