"""What is worked out of a conversation: the agent who chatted, a phone number, where the visitor came from.

Templates and conditions name these values, connectors read them as `Mapping.values`. Pure, and never an error: what is
not known is empty, and what could be read in two ways is not known. core/config and everybody above may import it.
"""
