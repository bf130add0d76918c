"""Who accepts: the hook that Smartsupp posts to, and the account of what it refused. The server imports it."""
