"""The services of a datacenter and the proxies in front of them, as the catalog lists them; and their registration."""

import asyncio
from collections.abc import Mapping

import msgspec

from shared.adapters.kubernetes.errors import OutOfBounds
from shared.adapters.meshes.consul.calls import Calls, Request, segment
from shared.domain.trust.consul.facts import ServiceInstance


class _Proxy(msgspec.Struct, frozen=True, rename="pascal"):
    destination_service_name: str = ""


class _Connect(msgspec.Struct, frozen=True, rename="pascal"):
    native: bool = False


class _Instance(msgspec.Struct, rename="pascal"):
    node: str  # the node's name
    address: str  # of the node
    service_id: str = msgspec.field(name="ServiceID")  # the instance's own
    service_name: str  # the service's
    service_kind: str = ""  # `connect-proxy`; empty: a service
    service_address: str = ""  # empty: the node's
    service_port: int = 0  # 0: none
    service_proxy: _Proxy = _Proxy()  # of a proxy
    service_connect: _Connect = _Connect()  # whether it needs none


class Catalog:
    """What is registered in a datacenter. Services that the login may not read aren't listed."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def services(self, dc: str = "") -> list[str]:
        """The names of all services, proxies among them; raises OutOfBounds for more than Meshward reads."""
        found = await self._calls.read(dict[str, list[str]], "listing services", "catalog/services", dc)
        if len(found) > self._calls.bounds.services:
            raise OutOfBounds(f"{dc or self._calls.datacenter} has more than {self._calls.bounds.services} services")
        return sorted(found)

    async def instances(self, dc: str = "") -> list[ServiceInstance]:
        """Every instance of every service; the services are read one after another, not at one moment."""
        turn = asyncio.Semaphore(self._calls.bounds.at_once)

        async def of(service: str) -> list[ServiceInstance]:
            async with turn:
                return await self._of(service, dc)

        lists = await asyncio.gather(*map(of, await self.services(dc)))
        return [instance for one in lists for instance in one]

    async def _of(self, service: str, dc: str) -> list[ServiceInstance]:
        doing, path = f"listing the instances of {service}", f"catalog/service/{segment(service)}"
        return [_instance(found) for found in await self._calls.read(list[_Instance], doing, path, dc)]

    async def register(self, node: str, address: str, service: Mapping[str, object]) -> None:
        """Register a service on a node, as it is; the same again changes nothing."""
        body = {"Node": node, "Address": address, "SkipNodeUpdate": True, "Service": dict(service)}
        await self._calls.send(f"registering {service.get('Service')}", Request("PUT", "catalog/register", body=body))


def _instance(found: _Instance) -> ServiceInstance:
    return ServiceInstance(
        id=found.service_id,
        node=found.node,
        service=found.service_name,
        kind=found.service_kind,
        stands_for=found.service_proxy.destination_service_name,
        native=found.service_connect.native,
        address=found.service_address or found.address,
        port=found.service_port,
    )
