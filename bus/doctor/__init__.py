"""Looking at settings, cluster and catalogue for what keeps a program from working."""
