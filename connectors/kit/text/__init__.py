"""A conversation as the texts of a record: formats other than HTML, and parts that can be found again."""
