"""What connectors are made of. A plug-in may import it; it imports only `core`."""
