"""The commands of `govbus contracts`, one module each; `contracts.cli` lists them."""
