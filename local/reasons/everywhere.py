"""Reasons that any flow or call may give: what doesn't answer, who may not call, what can't be read."""

from local.reasons import ReasonText, Texts

TOKEN = "Get a token for the app's own audience from the app's own tenant."

ANY_FLOW: Texts = {
    "Forbidden": ReasonText(
        "An identity lacks the permission that the message names.",
        "Assign the role in Azure, or apply the cluster's role ([clusters.md](clusters.md)); this takes minutes.",
    ),
    "NoToken": ReasonText(
        "The managed identity endpoint gives no token, or a call carries none.",
        "Attach the identity to the app; a caller sends the header `Authorization: Bearer <token>`.",
    ),
    "Unreachable": ReasonText(
        "A cluster or a service of Azure doesn't answer.", "Look at the network between the app and it."
    ),
    "NoKubeconfig": ReasonText(
        "The cluster has no kubeconfig to give yet.", "Nothing, unless this stays: look at the cluster."
    ),
    "LedgerUnavailable": ReasonText(
        "The store of records doesn't answer.", "Look at the storage account, its network and the identity's role."
    ),
    "DeadlinePassed": ReasonText(
        "A step didn't finish in time.", "The message says what it waited for: see that reason."
    ),
    "StepBroken": ReasonText("A step ended with an unexpected error.", "Its text is in the log; please report it."),
    "DocumentAbsent": ReasonText(
        "A document that a step needs isn't in the store.", "See docs/store.md for what wrote it, and who removed it."
    ),
    "DocumentBroken": ReasonText(
        "A document of the store can't be read.", "Restore an earlier version of the document that the message names."
    ),
    "BadPolicy": ReasonText("The policy document can't be right.", "Correct the field that the message names."),
    "NotAResourceId": ReasonText("A text isn't the id of an Azure resource.", "Correct it."),
    "NotACluster": ReasonText("A text isn't the resource id of a managed cluster.", "Correct it."),
    "SettingsMissing": ReasonText("Application settings are missing.", "Set those that the log names."),
    "SettingInvalid": ReasonText("An application setting can't be read.", "Correct the one that the log names."),
    "MalformedEvent": ReasonText(
        "A field of the event is missing or of a wrong type.", "Correct what publishes the event."
    ),
    "UnknownEventType": ReasonText("No flow handles events of this type.", "Correct the event subscription's filter."),
}

CALLS: Texts = {
    "MalformedBody": ReasonText("The body of the call isn't what the route needs.", "Correct the field that is named."),
    "MalformedQuery": ReasonText("A query parameter of the call can't be read.", "Correct the one that is named."),
    "NoSuchInstance": ReasonText("No flow has this instance id.", "Name another one."),
    "NoCensus": ReasonText("No census was taken yet.", "Wait for the next morning."),
    "PlanChanged": ReasonText(
        "The plan isn't the one any more that the call names.", "Look at the plan and call again."
    ),
    "KeysUnreachable": ReasonText("Entra's signing keys can't be read right now.", "Call again in half a minute."),
    "BadToken": ReasonText("The token isn't one that this tenant has signed.", TOKEN),
    "WrongIssuer": ReasonText("The token comes from another tenant.", TOKEN),
    "WrongAudience": ReasonText("The token is meant for another app.", TOKEN),
    "NoLifetime": ReasonText("The token doesn't say from when until when it is valid.", TOKEN),
    "NoObjectId": ReasonText("The token doesn't name its holder.", TOKEN),
    "NotYetValid": ReasonText("The token isn't valid yet.", "Set the caller's clock, or call again later."),
    "Expired": ReasonText("The token has expired.", "Get a new one."),
}

SELF_TEST: Texts = {
    "ClockSkewed": ReasonText("The app's clock differs from Azure's.", "Restart the app."),
    "ProvidersUnregistered": ReasonText(
        "Resource providers aren't registered in a subscription.", "Run the `az provider register` of the result."
    ),
    "NotSubscribed": ReasonText("An event subscription is missing or unfinished.", "Run `make deploy` again."),
    "EventLost": ReasonText("An event was published and hasn't come back.", "Run `make deploy` again."),
    "KeyUnusable": ReasonText("A root's key is disabled or can't sign.", "Enable the key."),
    "WrongKey": ReasonText("What a root's key signs, its certificate doesn't verify.", "Replace the root."),
}
