"""A request that is written as templates: made ready once, when the configuration is read, and sent for each chat.
For the modules of `connectors.http`."""
