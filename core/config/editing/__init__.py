"""The door through which the dashboard and the command line change relay.yaml (docs/adr/0019)."""
