"""ValidatingAdmissionPolicies, judged as an API server does: by Google's own CEL.

Rules (Kubernetes docs):
- A policy counts where a binding denies by it, and where all its match conditions hold. What can't be evaluated
  denies.
- It sees an object as it would be stored: with defaults, and with what was injected. Dry runs are judged, too.
- `namespaceSelector` is about the labels of an object's namespace, of a Namespace about its own; whatever else is in no
  namespace is picked.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from cel_expr_python import cel  # type: ignore[import-untyped]
from cel_expr_python.ext import ext_optional, ext_strings  # type: ignore[import-untyped]

from local.cloud.kubernetes.errors import StatusError
from local.cloud.kubernetes.kinds import ResourceType, details
from local.cloud.kubernetes.objects import Object, labels_of
from local.cloud.kubernetes.selectors import selects
from local.cloud.kubernetes.store import Store

POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
_REASONS = {"Unauthorized": 401, "Forbidden": 403, "Invalid": 422, "RequestEntityTooLarge": 413}
_VARIABLES = ("object", "oldObject", "request", "namespaceObject", "variables")


class Write(NamedTuple):
    """A write as admission sees it; what isn't there before or after it is None."""

    user: str
    operation: str  # CREATE, UPDATE, DELETE or CONNECT
    kind: ResourceType
    new: Object | None
    old: Object | None
    dry_run: bool = False
    below: str = ""  # the subresource

    @property
    def resource(self) -> str:
        return "/".join(filter(None, (self.kind.plural, self.below)))

    @property
    def metadata(self) -> Object:
        found: Object = (self.new or self.old or {})["metadata"]
        return found


def require_admitted(cluster: Store, write: Write) -> None:
    """Raises StatusError with the first thing that a policy has against the write."""
    if not cluster.objects(BINDING):
        return
    bindings = {b["spec"]["policyName"]: b for b in cluster.objects(BINDING)}
    for policy in cluster.objects(POLICY):
        binding = bindings.get(policy["metadata"]["name"])
        if binding and "Deny" in binding["spec"]["validationActions"]:
            _require(cluster, write, policy, binding)


def _require(cluster: Store, write: Write, policy: Object, binding: Object) -> None:
    spec, namespace = policy["spec"], _namespace(cluster, write)
    if not _matches(spec["matchConstraints"], write, namespace):
        return
    known = _known(write, namespace)
    if not all(_holds(c["expression"], known) for c in spec.get("matchConditions", ())):
        return
    known["variables"] = dict(_values(spec.get("variables", ()), known))
    for validation in spec["validations"]:
        if not _holds(validation["expression"], known):
            raise _denied(write, policy, binding, validation)


def _matches(constraints: Object, write: Write, namespace: Object | None) -> bool:
    rules = any(_rule_matches(rule, write) for rule in constraints["resourceRules"])
    selector = constraints.get("namespaceSelector", {})
    where = write.new or write.old if write.kind.name == "Namespace" else namespace
    return rules and (where is None or selects(selector, labels_of(where)))


def _rule_matches(rule: Object, write: Write) -> bool:
    asked = {"apiGroups": write.kind.group, "operations": write.operation, "resources": write.resource}
    scoped = rule.get("scope", "*") in ("*", "Namespaced" if write.kind.namespaced else "Cluster")
    return scoped and all({"*", "*/*", value} & set(rule[part]) for part, value in asked.items())


def _namespace(cluster: Store, write: Write) -> Object | None:
    return cluster.find("Namespace", "", write.metadata["namespace"]) if write.kind.namespaced else None


def _known(write: Write, namespace: Object | None) -> dict[str, Any]:
    request = {
        "userInfo": {"username": write.user},
        "operation": write.operation,
        "resource": {"group": write.kind.group, "version": write.kind.versions[0], "resource": write.kind.plural},
        "subResource": write.below,
        "kind": {"group": write.kind.group, "kind": write.kind.name},
        **{part: write.metadata[part] for part in ("name", "namespace") if write.metadata.get(part)},
        "dryRun": write.dry_run,
    }
    return {"object": write.new, "oldObject": write.old, "request": request, "namespaceObject": namespace}


def _values(variables: list[Object], known: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The variables that have a value; what needs another one can't be evaluated, as in the original."""
    found: dict[str, Any] = {}
    for variable in variables:
        try:
            found[variable["name"]] = _evaluated(variable["expression"], {**known, "variables": found})
        except RuntimeError:
            continue
    yield from found.items()


def _holds(expression: str, known: Mapping[str, Any]) -> bool:
    try:
        return _evaluated(expression, known) is True
    except RuntimeError:
        return False


def _evaluated(expression: str, known: Mapping[str, Any]) -> Any:
    value = _compiled(expression).eval(data={"variables": {}, **known})
    if value.type() == cel.Type.ERROR:
        raise RuntimeError(str(value.value()))
    return value.plain_value()


@cache
def _compiled(expression: str) -> Any:
    return _environment().compile(expression)


@cache
def _environment() -> Any:
    extensions = [ext_optional.ExtOptional(), ext_strings.ExtStrings()]
    return cel.NewEnv(variables=dict.fromkeys(_VARIABLES, cel.Type.DYN), extensions=extensions)


def _denied(write: Write, policy: Object, binding: Object, validation: Object) -> StatusError:
    reason = validation.get("reason", "Invalid")
    named = f"ValidatingAdmissionPolicy '{policy['metadata']['name']}' with binding '{binding['metadata']['name']}'"
    message = f'{write.kind.resource} "{write.metadata["name"]}" is forbidden: {named} denied request: '
    says = validation.get("message") or f"failed expression: {validation['expression']}"
    return StatusError(_REASONS[reason], reason, message + says, details(write.kind, write.metadata["name"]))
