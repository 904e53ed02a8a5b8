"""The functions of Bicep that infra/ calls and that need no file."""

import hashlib
import ipaddress
import json
import uuid
from collections.abc import Callable
from typing import Any

TENANT = "22222222-2222-4222-8222-222222222222"


def _union(*all_: Any) -> Any:
    if isinstance(all_[0], list):
        return list(dict.fromkeys(one for each in all_ for one in each))
    return {name: value for each in all_ for name, value in each.items()}


def _unique(*texts: str) -> str:
    return hashlib.sha256("|".join(texts).encode()).hexdigest()[:13]


def _subnet(prefix: str, size: int, index: int) -> str:
    return str(list(ipaddress.ip_network(prefix).subnets(new_prefix=size))[index])


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "any": lambda value: value,
    "cidrSubnet": _subnet,
    "concat": lambda *lists: [one for each in lists for one in each],
    "contains": lambda container, one: one in container,
    "empty": lambda value: not value,
    "deployment": lambda: {"location": "westeurope"},
    "environment": lambda: {"suffixes": {"storage": "core.windows.net", "keyvaultDns": ".vault.azure.net"}},
    "first": lambda value: next(iter(value), None),
    "filter": lambda all_, keep: [one for one in all_ if keep(one)],
    "guid": lambda *texts: str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join(texts))),
    "int": int,
    "json": json.loads,
    "items": lambda value: [{"key": key, "value": value[key]} for key in sorted(value)],
    "join": lambda texts, between: between.join(texts),
    "last": lambda value: value[-1],
    "length": len,
    "map": lambda all_, change: [change(one) for one in all_],
    "replace": lambda text, old, new: text.replace(old, new),
    "split": lambda text, at: text.split(at),
    "startsWith": str.startswith,
    "string": lambda value: value if isinstance(value, str) else json.dumps(value),
    "substring": lambda text, start, length=None: text[start:] if length is None else text[start : start + length],
    "toLower": str.lower,
    "take": lambda value, count: value[:count],
    "trim": str.strip,
    "tenant": lambda: {"tenantId": TENANT},
    "union": _union,
    "uniqueString": _unique,
}
