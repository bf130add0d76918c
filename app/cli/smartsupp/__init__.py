"""Commands about Smartsupp itself: its API as a second source of chats, and the made-up one of the demo."""
