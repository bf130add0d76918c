"""What a connector is tested with: the contract that every one must keep, and a vendor on loopback to write a
fake on."""
