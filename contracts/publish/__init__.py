"""A catalogue for others: site, exports, HTTP registry."""
