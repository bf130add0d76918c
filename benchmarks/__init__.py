"""How fast and how big Relay is, against ceilings measured in the same run: `python -m benchmarks`. See README.md."""
