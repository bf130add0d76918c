"""What the receiver, the workers and the connectors share. No Flask, no Celery and no vendor in here."""
