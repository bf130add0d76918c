"""What machines ask: `/metrics`, `/healthz` and `/readyz`. The server imports it."""
