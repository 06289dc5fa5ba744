"""What start-up copies to RAM, chosen from a trace."""
