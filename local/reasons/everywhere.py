"""Reasons that any flow or call may give: what doesn't answer, who may not call, what can't be read."""

from local.reasons import Text, Texts

TOKEN = "Get a token for the app's own audience from the app's own tenant."

ANY_FLOW: Texts = {
    "Forbidden": Text(
        "An identity lacks the permission that the message names.",
        "Assign the role in Azure, or apply the cluster's role ([clusters.md](clusters.md)); this takes minutes.",
    ),
    "NoToken": Text(
        "The app's identity endpoint returns no token, or a call to the API carries none.",
        "Assign the managed identity to the app. A caller sends the header `Authorization: Bearer <token>`.",
    ),
    "Unreachable": Text("A cluster or an Azure service doesn't answer.", "Check the network between the app and it."),
    "NoKubeconfig": Text(
        "Azure can't return the cluster's kubeconfig yet.", "Nothing. If this stays, look at the cluster."
    ),
    "LedgerUnavailable": Text(
        "The store doesn't answer.", "Check the storage account, its network, and the verifier's role on it."
    ),
    "DeadlinePassed": Text("A step didn't finish in time.", "The message says what it waited for: see that reason."),
    "StepBroken": Text("A step ended with an unexpected error.", "The app's log has the error; please report it."),
    "DocumentAbsent": Text(
        "A document that a step needs isn't in the store.",
        "[store.md](store.md) says what the document is. Find out who removed it, and restore it from a backup.",
    ),
    "DocumentBroken": Text(
        "A document of the store can't be read.", "Restore an earlier version of the document that the message names."
    ),
    "BadPolicy": Text("The policy document is invalid.", "Correct the field that the message names."),
    "NotAResourceId": Text("A text isn't the resource id of an Azure resource.", "Correct it."),
    "NotACluster": Text("A text isn't the resource id of an AKS cluster.", "Correct it."),
    "SettingsMissing": Text("Application settings are missing.", "Set the settings that the log names."),
    "SettingInvalid": Text("An application setting can't be read.", "Correct the setting that the log names."),
    "MalformedEvent": Text(
        "A field of the event is missing or has a wrong type.", "Correct the publisher of the event."
    ),
    "UnknownEventType": Text("No flow handles events of this type.", "Correct the event subscription's filter."),
}

CALLS: Texts = {
    "MalformedBody": Text("The body of the call has an error.", "Correct the field that the message names."),
    "MalformedQuery": Text(
        "A query parameter of the call can't be read.", "Correct the parameter that the message names."
    ),
    "NoSuchInstance": Text("No flow has this instance id.", "Correct the instance id."),
    "NoCensus": Text("No census has been taken yet.", "Wait: a census is taken every morning."),
    "PlanChanged": Text(
        "The plan has changed since its hash was computed.", "Get the plan again, and call with its new hash."
    ),
    "KeysUnreachable": Text("Entra's signing keys can't be read now.", "Call again after 30 seconds."),
    "BadToken": Text("The token wasn't signed by the app's tenant.", TOKEN),
    "WrongIssuer": Text("The token was issued by another tenant.", TOKEN),
    "WrongAudience": Text("The token is for another app.", TOKEN),
    "NoLifetime": Text("The token doesn't say when it becomes valid and when it expires.", TOKEN),
    "NoObjectId": Text("The token has no object id of its holder.", TOKEN),
    "NotYetValid": Text("The token isn't valid yet.", "Correct the caller's clock, or call again later."),
    "Expired": Text("The token has expired.", "Get a new token."),
}

SELF_TEST: Texts = {
    "ClockSkewed": Text("The app's clock differs from Azure's.", "Restart the app."),
    "ProvidersUnregistered": Text(
        "Resource providers aren't registered in a subscription.",
        "Run the `az provider register` that the result names.",
    ),
    "NotSubscribed": Text("An event subscription is missing or not ready.", "Run `make deploy` again."),
    "EventLost": Text("The self-test published an event that didn't arrive.", "Run `make deploy` again."),
    "KeyUnusable": Text("The key of a trust root is disabled or can't sign.", "Enable the key."),
    "WrongKey": Text("A trust root's certificate doesn't match its key.", "Replace the root."),
}
