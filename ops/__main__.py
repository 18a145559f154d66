"""`python -m ops`: the `mitra` command without its script."""

from ops.cli import main

main()
