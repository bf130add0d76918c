"""One module a page. `app.dashboard` lists them; no page imports another."""
