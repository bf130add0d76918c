"""What is taken out of a chat before it leaves for a destination: card numbers, account numbers, numbers of people,
passwords. Pure, and never an error. The kit applies it to all that a connector is given (docs/adr/0022)."""
