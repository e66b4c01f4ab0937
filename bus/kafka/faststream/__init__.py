"""The bus inside a FastStream application, and FastStream's names inside its handlers."""
