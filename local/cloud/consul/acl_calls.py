"""What is asked about tokens, policies, auth methods and binding rules."""

from datetime import UTC, datetime

from local.cloud.consul.errors import ConsulError, not_found
from local.cloud.consul.requests import Call
from local.cloud.wire import Reply


def login(call: Call) -> Reply:
    acl, primary = call.about.shared.acl, call.about.primary is None
    return Reply(body=acl.login(call.body, call.about.name, primary=primary).body)


def logout(call: Call) -> Reply:
    if not call.secret:
        raise ConsulError("Supplied token does not exist", 401)
    call.about.shared.acl.logout(call.secret, call.here.name)
    return Reply(body=True)


def tokens(call: Call) -> Reply:
    call.permissions.require("acl", "read")
    return Reply(body=[token.body for token in call.about.shared.acl.live()])


def token(call: Call) -> Reply:
    call.permissions.require("acl", "write")
    return Reply(body=call.about.shared.acl.write_token(call.body).body)


def policy(call: Call) -> Reply:
    call.permissions.require("acl", "write")
    call.about.shared.acl.write_policy(call.body)
    return Reply(body=call.body)


def write_method(call: Call) -> Reply:
    call.permissions.require("acl", "write")
    call.about.shared.acl.write_method(call.body)
    return Reply(body=call.body)


def method(call: Call) -> Reply:
    call.permissions.require("acl", "read")
    found = call.about.shared.acl.methods.get(call.name()) if call.about.primary is None else None
    if found is None:
        raise ConsulError(not_found(call.name(), "auth method").text, 404)
    return Reply(body=dict(found.body))


def write_rule(call: Call) -> Reply:
    call.permissions.require("acl", "write")
    return Reply(body=call.about.shared.acl.write_rule(call.body))


def rules(call: Call) -> Reply:
    call.permissions.require("acl", "read")
    method = call.request.query.get("authmethod", "")
    rules = call.about.shared.acl.rules.values()
    return Reply(body=[rule for rule in rules if method in ("", rule["AuthMethod"])])


def replicate(call: Call) -> Reply:
    call.permissions.require("acl", "write")
    call.here.replication_token = call.body["Token"]
    return Reply(content=b"")


def replication(call: Call) -> Reply:
    """A secondary copies; what it copied it has at once."""
    now, secondary = datetime.fromtimestamp(call.about.clock.time(), UTC), call.about.primary is not None
    text = now.isoformat().replace("+00:00", "Z")
    return Reply(body={"Enabled": secondary, "Running": secondary, "LastSuccess": text, "LastErrorMessage": ""})
