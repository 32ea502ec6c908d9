"""`python -m tsuzuki` is the command line."""

from tsuzuki.cli import main

main()
