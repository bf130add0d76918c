"""The threads of a worker: to which lanes they belong, and what those do that have nothing to do at the moment."""
