"""What an admin can do, without a face. The command line and the dashboard both import it."""
