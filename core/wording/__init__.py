"""Words for people that a face can say in another language. Anybody may import it; it imports nothing."""
