"""Web pages for operators: an overview, and one page for each service and each transaction."""
