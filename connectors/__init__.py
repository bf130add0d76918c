"""Destinations. One file a vendor, on the shared base; vendor files never import each other."""
