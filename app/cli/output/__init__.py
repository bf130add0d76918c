"""What the commands print: records as JSON, tables, and the story of one item. Only commands may import it."""
