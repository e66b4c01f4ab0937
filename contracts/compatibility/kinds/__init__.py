"""What may differ between two schemas: a row for each kind, with whom it can break and what to do instead.

Names are those of Confluent's registry where it has the kind. A row explains; the verdict is another's
(`contracts.compatibility.modes`), which proves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from contracts.compatibility.kinds import bounds, structures, values, verdicts
from contracts.compatibility.kinds.kind import Kind

_ALL: Final = (*values.KINDS, *bounds.KINDS, *structures.KINDS)
KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in sorted(_ALL, key=lambda kind: kind.name)}
"""Every kind by its name."""
RULES: Final = (*(kind.rule for kind in KINDS.values()), *verdicts.RULES)
