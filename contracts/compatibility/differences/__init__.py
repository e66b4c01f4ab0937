"""What differs between two schemas, in the kinds that `contracts.compatibility.kinds` lists."""

from contracts.compatibility.differences.comparing import Difference, differences

__all__ = ["Difference", "differences"]
