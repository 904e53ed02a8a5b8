"""What is asked about a datacenter's authority.

Rules:
- A question with an `index` waits until there is something newer, for `wait` of virtual time at most. If something else
  holds time meanwhile, it is answered after a moment as if nothing had come, which Consul may do at any time.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from local.cloud.consul import x509 as made
from local.cloud.consul.authority import ListedRoot
from local.cloud.consul.configuration import sent
from local.cloud.consul.errors import ConsulError
from local.cloud.consul.leaves import KeptLeaf
from local.cloud.consul.leaves import body as leaf_body
from local.cloud.consul.requests import Call, indexed, refusal
from local.cloud.wire import Reply

_REAL_PATIENCE, _REAL_PAUSE = 1.0, 0.002  # seconds of real time, if virtual time doesn't pass
_REAL_WRITE = 0.005  # as long as a change of the authority takes
_LONGEST = 600.0
_PARTS = re.compile(r"(\d+)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def configuration(call: Call) -> Reply:
    call.permissions.require("operator", "write")
    authority = call.about.authority
    found = authority.configuration
    return Reply(
        body={
            "Provider": found.provider,
            "Config": found.values,
            "State": None,
            "ForceWithoutCrossSigning": found.without_cross_signing,
            "CreateIndex": 1,
            "ModifyIndex": authority.modified,
        }
    )


async def configure(call: Call) -> Reply:
    """Take a configuration. A leader that is lost on the way may have taken it; the answer doesn't say."""
    wanted = sent(call.body)
    call.permissions.require("operator", "write")
    about = call.about
    with about.authority.reconfiguring():
        await asyncio.sleep(_REAL_WRITE)
        if not about.loses_leader:
            about.authority.configure(wanted)
            return Reply(content=b"")
        if about.loses_leader.pop(0):
            about.authority.configure(wanted)
    about.elect()
    raise ConsulError("rpc error making call: EOF")


def roots(call: Call) -> Reply:
    authority = call.about.authority

    def answer() -> Reply:
        active = authority.active
        body = {
            "ActiveRootID": active.id if active else "",
            "TrustDomain": call.about.trust_domain,
            "Roots": [_root(root) for root in sorted(authority.roots, key=lambda root: root.id)],
        }
        return indexed(body, authority.roots_modified)

    return _once_newer(call, answer, lambda: authority.roots_modified)


def _root(root: ListedRoot) -> dict[str, Any]:
    key = root.certificate.public_key()
    kind, bits = made.kind_of(key)  # type: ignore[arg-type]
    return {
        "ID": root.id,
        "Name": "Consul CA Primary Cert",
        "SerialNumber": root.certificate.serial_number & 0xFFFFFFFFFFFFFFFF,
        "SigningKeyID": root.signed_by,
        "NotBefore": root.certificate.not_valid_before_utc.isoformat().replace("+00:00", "Z"),
        "NotAfter": root.certificate.not_valid_after_utc.isoformat().replace("+00:00", "Z"),
        "RootCert": made.pem(root.certificate),
        "IntermediateCerts": [made.pem(one) for one in root.intermediates] or None,
        "Active": root.active,
        "PrivateKeyType": kind,
        "PrivateKeyBits": bits,
        "CreateIndex": root.created,
        "ModifyIndex": root.modified,
    }


def leaf(call: Call) -> Reply:
    """Of the agent that is asked, whatever `dc` says."""
    cache, name = call.here.leaves, call.name()
    if name not in cache.kept:
        call.permissions.require("service", "write", name)
    first = cache.get(name)

    def answer() -> Reply:
        try:
            kept = cache.get(name)
        except ConsulError as error:
            return refusal(error)
        return indexed(leaf_body(name, kept, call.here.uri(name)), kept.index)

    return _once_newer(call, answer, lambda: cache.kept[name].index, first)


def _once_newer(
    call: Call, answer: Callable[[], Reply], index: Callable[[], int], leaf: KeptLeaf | None = None
) -> Reply:
    """The answer, at once or when the index isn't the one that the caller has any more."""
    query = call.request.query
    wait = sum(float(number) * _SECONDS[unit] for number, unit in _PARTS.findall(query.get("wait", "5m")))
    if query.get("index", "0") != str(index()):
        return answer()
    return Reply(later=_later(call, min(wait, _LONGEST), answer, index, leaf))


async def _later(
    call: Call, wait: float, answer: Callable[[], Reply], index: Callable[[], int], leaf: KeptLeaf | None
) -> Reply:
    clock, real = call.about.clock, asyncio.get_running_loop().time
    known, seen, end = index(), clock.time(), clock.time() + wait
    until = real() + _REAL_PATIENCE
    with _waiting(leaf):
        while index() == known and clock.time() < end and real() < until:
            await asyncio.sleep(_REAL_PAUSE)
            if clock.time() > seen:
                seen, until = clock.time(), real() + _REAL_PATIENCE
    return answer()


@contextmanager
def _waiting(leaf: KeptLeaf | None) -> Iterator[None]:
    """Who waits for a newer leaf gets it in its turn."""
    if leaf is None:
        yield
        return
    leaf.waiters += 1
    try:
        yield
    finally:
        leaf.waiters -= 1
