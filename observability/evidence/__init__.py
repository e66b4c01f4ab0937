"""Which receipts are believed: who may say what, what the topic itself shows, and who is silent."""
