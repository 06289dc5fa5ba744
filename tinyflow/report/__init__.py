"""The report: one data model, rendered to the terminal and to JSON."""
