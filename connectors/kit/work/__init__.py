"""Who works on a record, where it lies, by when, and whether a chat gets one of its own. For connectors of vendors that
give records to people."""
