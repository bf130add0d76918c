"""Alerts: what is wrong, who is told, in which words, by which way. Workers and receivers run the notifier."""
