"""What a check looks at, by declaration: what must be there, what the answer has to show, and what to do otherwise.
Connectors import it (docs/writing-a-connector.md); it knows no vendor."""
