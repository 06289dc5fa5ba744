"""`python -m tinyflow`."""

from tinyflow.cli.app import main

main()
