"""The subcommands of `python -m tuning`, a file each."""
