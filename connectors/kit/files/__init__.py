"""Files of a chat on their way to a destination: which may go, how they are fetched, where they wait, and how they are
sent without being in memory as a whole. A vendor says how large and how many it takes, and how a text with files is
written there; `carrying` does the rest. For connectors, and `waiting` for whoever removes what is old."""
