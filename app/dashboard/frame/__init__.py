"""What is around every page: login, sessions, headers, error pages and what pages are given."""
