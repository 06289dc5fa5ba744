"""Choice of what start-up copies to RAM, made from a trace."""
