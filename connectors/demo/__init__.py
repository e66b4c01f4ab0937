"""A small country: five agencies with legacy systems nobody may change, and the bus between them."""
