"""What a token may do: the rules of its policies, in their JSON form.

Rules:
- What no rule names is denied. An exact name goes before a prefix, a longer prefix before a shorter one.
- `write` includes `read`. Intentions have a level of their own within a service's rule; with none, who may write the
  service may read its intentions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from local.cloud.consul.errors import ConsulError

_LEVELS = {"": 0, "deny": 0, "read": 1, "write": 2}


class TokenPermissions:
    """The permissions of one token, which messages call `who`."""

    def __init__(self, who: str, rules: Sequence[Mapping[str, Any]], *, all: bool = False) -> None:
        self._who, self._rules, self._all = who, rules, all

    def has(self, resource: str, level: str, name: str = "") -> bool:
        """Whether `resource` (operator, acl, mesh, service, node, intention) may be read or written."""
        return self._all or any(_LEVELS[_level(rules, resource, name)] >= _LEVELS[level] for rules in self._rules)

    def require(self, resource: str, level: str, name: str = "") -> None:
        """Raise ConsulError (403) unless it may."""
        if not self.has(resource, level, name):
            on = f' on "{name}"' if name else ""
            raise ConsulError(f"Permission denied: {self._who} lacks permission '{resource}:{level}'{on}", 403)


def _level(rules: Mapping[str, Any], resource: str, name: str) -> str:
    if resource in ("operator", "acl", "mesh"):
        return str(rules.get(resource, ""))
    rule = _rule(rules, "service" if resource == "intention" else resource, name)
    if resource == "intention":
        return str(rule.get("intentions") or ("read" if rule.get("policy") in ("read", "write") else ""))
    return str(rule.get("policy", ""))


def _rule(rules: Mapping[str, Any], resource: str, name: str) -> Mapping[str, str]:
    exact: Mapping[str, Mapping[str, str]] = rules.get(resource, {})
    if name in exact:
        return exact[name]
    prefixes: Mapping[str, Mapping[str, str]] = rules.get(f"{resource}_prefix", {})
    fitting = [prefix for prefix in prefixes if name.startswith(prefix)]
    return prefixes[max(fitting, key=len)] if fitting else {}
