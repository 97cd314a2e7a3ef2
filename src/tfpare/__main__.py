"""`python -m tfpare`."""

from tfpare.cli import main

main()
