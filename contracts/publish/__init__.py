"""A catalogue for others: website, exports, HTTP registry."""
