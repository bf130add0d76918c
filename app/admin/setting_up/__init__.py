"""Setting up a connector, for both faces: its settings as fields, and the change of relay.yaml."""
