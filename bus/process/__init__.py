"""What a long-running process needs around its work: health, outages that are waited out, logs, serving."""
