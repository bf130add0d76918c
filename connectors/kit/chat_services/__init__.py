"""Short messages to where people talk: what they say by default, what is sent once, and Apprise for the services that
have no connector here.

For connectors of chat services, and for alerts.
"""
