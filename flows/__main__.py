"""`python -m flows` is the `latentlab` command."""

from flows.cli.app import main

main()
