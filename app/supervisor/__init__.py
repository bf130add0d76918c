"""`relay up`: everything in one place, under supervisor. Only the command line imports it."""
