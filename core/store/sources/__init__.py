"""Chats that come from elsewhere than the hook: what is to be fetched from Smartsupp's API, and which two ids are one
conversation. Parts of `Store`."""
