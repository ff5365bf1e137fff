"""`python -m flows` is the `latentlab` command."""

from flows.cli import main

main()
