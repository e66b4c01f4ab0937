"""The monitor's database: tables, what a batch of receipts writes, and what readers get."""
