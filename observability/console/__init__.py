"""The console: one web page for the operator, and one for each service and transaction."""
