"""Whose chat it is at the vendor's: who is looked for and how, what is written on the person, and what never is."""
