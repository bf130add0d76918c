"""What an admin gets wrong in relay.yaml, in plain words: what is wrong, and what to type.

The words of pydantic, PyYAML and Python are for programmers; the tables here turn each of their findings into a
sentence. A secret is never quoted. Everybody may import it.
"""
