"""What happened over time: which stretch of it a page is about (`ranges`), in the days of whoever looks, and how
that is drawn (`charts`, `traffic`). For the pages and what they share."""
