"""What vendors differ in on the wire, said by declaration: what an answer means, when to come back, how lists go on."""
