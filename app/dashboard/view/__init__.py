"""What pages show, made from what the store has. No routes in here."""
