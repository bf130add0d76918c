"""Types of settings that several connectors have."""
