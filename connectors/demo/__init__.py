"""A small country: five agencies, their legacy systems, and the bus between them."""
