"""Erasing a visitor, for both faces: what is kept here, whom the destinations are asked to erase, and the receipt."""
