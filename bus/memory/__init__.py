"""The bus without a broker, for tests."""
