"""What goes in and out of a relay as files. For the command line."""
