"""Commands about Smartsupp itself: its API as a second source of chats."""
