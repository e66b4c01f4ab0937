"""The only importers of aiokafka and FastStream."""
