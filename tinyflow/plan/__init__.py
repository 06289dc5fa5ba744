"""Static memory planning: lifetimes, and offsets in one arena."""
