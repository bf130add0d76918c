"""Emails: how one is written so that nothing of a stranger's steers it, and how it is handed to a mail server.

For connectors that send mail, and for alerts.
"""
