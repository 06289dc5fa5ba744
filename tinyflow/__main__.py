# SPDX-License-Identifier: Apache-2.0
"""`python -m tinyflow`."""

from tinyflow.cli.app import main

main()
