"""The embedded store's append-only file: what is wrong with it, and its repair. For `relay up`, doctor and backup; it
speaks to no server."""
