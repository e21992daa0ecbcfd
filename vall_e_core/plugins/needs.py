"""What a plugin needs of others: where one of them isn't there, it can't work, and says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .loader import Found


def lacking(plugins: Mapping[Found, tuple[str, Sequence[str]]]) -> dict[Found, str]:
    """Why plugins can't work that name others in `requires`, which are missing, disabled or broken themselves.

    Args:
        plugins: the status of each (`ok`, `broken`, `disabled`), and the names of those that it needs.
    """
    status = {found: state for found, (state, _) in plugins.items()}
    reasons: dict[Found, str] = {}
    before = -1
    while before < len(reasons):
        before = len(reasons)
        for found, (_, needs) in plugins.items():
            for need in needs if status[found] == "ok" else ():
                there = [status[each] for each in status if need in (each.name, f"{each.distribution}/{each.name}")]
                if "ok" not in there:
                    status[found] = "broken"
                    reasons[found] = f"it needs the plugin {need}, which is {there[0] if there else 'not installed'}"
                    break
    return reasons
