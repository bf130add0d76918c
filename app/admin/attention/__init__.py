"""What needs somebody now, worst first: the one list that the overview, `relay status` and `relay doctor` show. The
troubles
of the store are those that alerts are sent about (workers/alerts/detect.py). For the dashboard, cli and the doctor."""
