"""What processes share besides lanes and their records: a connector's token and cache, and token buckets of rates."""
