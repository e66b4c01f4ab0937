"""Strongly connected components of a graph (Tarjan 1972), without recursion."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

Vertex = TypeVar("Vertex", bound=Hashable)


def components(graph: Mapping[Vertex, Sequence[Vertex]]) -> Iterator[list[Vertex]]:
    """The strongly connected components, one after the other."""
    index: dict[Vertex, int] = {}
    low: dict[Vertex, int] = {}
    held: list[Vertex] = []
    placed: set[Vertex] = set()
    for root in graph:
        walk = [(root, iter(graph[root]))] if root not in index else []
        if walk:
            index[root] = low[root] = len(index)
            held.append(root)
        while walk:
            vertex, targets = walk[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    held.append(target)
                    walk.append((target, iter(graph[target])))
                    break
                if target not in placed:
                    low[vertex] = min(low[vertex], index[target])
            else:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[vertex])
                if low[vertex] == index[vertex]:
                    part = held[held.index(vertex) :]
                    del held[-len(part) :]
                    placed.update(part)
                    yield part
