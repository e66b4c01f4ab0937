"""What differs between two schemas, in the kinds that `contracts.rules.compatibility` lists."""

from contracts.differences.comparing import Difference, differences

__all__ = ["Difference", "differences"]
