"""Where `${…}` in relay.yaml is taken from: variables, `.env`, files, and the sealed secrets. For core.config, and for
those who set secrets."""
