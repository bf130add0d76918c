"""The workers: they read bodies from the inbox and deliver conversations. Any number may run, on any machines."""
