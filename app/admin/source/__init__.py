"""Smartsupp's API as a second source of chats, behind both faces: what comparisons with it have found."""
