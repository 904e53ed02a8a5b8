"""What a restored pod doesn't get: whatever would let it out of its isolated namespace.

`meshward-copies-confined` in infra/cluster/base/copies.yaml refuses such pods, also if a controller makes them. Here a
verdict learns which workloads are left out for it, and why. A test holds the two together.
"""

from collections.abc import Iterable, Mapping
from typing import Any

_VOLUMES = {
    "configMap",
    "secret",
    "emptyDir",
    "projected",
    "downwardAPI",
    "persistentVolumeClaim",
    "ephemeral",
}
_CAPABILITIES = {  # pod security baseline
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
}
_PROFILES = ("seccompProfile", "appArmorProfile")

type Spec = Mapping[str, Any]


def excesses(spec: Spec) -> list[str]:
    """What a pod of this spec asks for that a copy doesn't get, in Kubernetes' words; nothing of most pods."""
    found = [field for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    found += ["priority"] if (spec.get("priority") or 0) > 0 or spec.get("priorityClassName") else []
    found += [kind for volume in spec.get("volumes") or () for kind in sorted(set(volume) - {"name"} - _VOLUMES)]
    found += _of_context(spec.get("securityContext") or {})
    for container in (*spec.get("containers", ()), *(spec.get("initContainers") or ())):
        found += ["hostPort"] if any(port.get("hostPort") for port in container.get("ports") or ()) else []
        found += _of_context(container.get("securityContext") or {})
    return list(dict.fromkeys(found))


def _of_context(context: Spec) -> list[str]:
    added = (context.get("capabilities") or {}).get("add") or ()
    return [
        *(field for field in ("privileged", "sysctls", "seLinuxOptions") if context.get(field)),
        *(["procMount"] if context.get("procMount", "Default") != "Default" else []),
        *(["hostProcess"] if (context.get("windowsOptions") or {}).get("hostProcess") else []),
        *(each for each in _PROFILES if (context.get(each) or {}).get("type") == "Unconfined"),
        *_capabilities(added),
    ]


def _capabilities(added: Iterable[str]) -> list[str]:
    return [capability for capability in added if capability not in _CAPABILITIES]
