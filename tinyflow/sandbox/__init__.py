"""Confinement of a process that reads a stranger's file."""
