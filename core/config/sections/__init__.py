"""Sections of the file, or of a connector in it, that are more than a few fields; core/config/settings.py puts them
together."""
