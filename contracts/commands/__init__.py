"""The commands of `govbus contracts`, listed in `contracts.cli`."""
