"""Entry of `python -m gateway.cli`; nothing else."""

from gateway.cli.main import main

main()
