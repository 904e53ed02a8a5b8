"""Reasons that any flow or call may give: what doesn't answer, who may not call, what can't be read."""

from local.reasons import ReasonText, Texts

TOKEN = "Get a token for the app's own audience from the app's own tenant."

ANY_FLOW: Texts = {
    "Forbidden": ReasonText(
        "An identity lacks the permission that the message names.",
        "Assign the role in Azure, or apply the cluster's role ([clusters.md](clusters.md)); this takes minutes.",
    ),
    "AnswerUnreadable": ReasonText(
        "Azure or a cluster gave an answer of a form that Meshward doesn't know, or one that is larger than Meshward "
        "reads. Nothing was concluded from it.",
        "Look at what the message names. If Azure gave the answer, report the message and its API version.",
    ),
    "ApiServerElsewhere": ReasonText(
        "A cluster's kubeconfig names a server that Resource Manager doesn't know as the cluster's. Nothing was sent.",
        "Find out who changed the cluster. Its API server is at `fqdn` or `privateFqdn` of `az aks show`, by HTTPS.",
    ),
    "OutsideFleet": ReasonText(
        "A request was about to leave what the settings name: the subscriptions, the key vault, the topic, or the "
        "storage account that it is about. It wasn't sent.",
        "Look at where the URL in the message comes from. If it is right, add its subscription to "
        "`MESHWARD_SUBSCRIPTION_IDS`.",
    ),
    "OperationUnnamed": ReasonText(
        "Azure accepted a request and named no operation, so that nobody can tell how it ends.",
        "Look at what the message names in Azure, then start again: Meshward goes on from what is there.",
    ),
    "StateUnknown": ReasonText(
        "Azure gives a state in a word that Meshward doesn't know. It counts neither as good nor as ended, and nothing "
        "is written or deleted because of it.",
        "Look at what the message names in Azure. If it stays, report the word.",
    ),
    "NotAdmitted": ReasonText(
        "A cluster's tag claims a trust domain that doesn't list it in the policy document. Nothing is done there: no "
        "issuer, no root, no verification, no change of its protection.",
        "If it belongs to the trust domain, add the line that the message has "
        "([policy.md](policy.md#who-belongs-to-a-trust-domain)). If not, remove the tag and find out who set it.",
    ),
    "PagesRepeat": ReasonText(
        "A list from Azure goes on with the page that was just read, so it would never end.",
        "Nothing; Meshward asks again. If it stays, report it to Azure support.",
    ),
    "NoToken": ReasonText(
        "The app's identity endpoint returns no token, or a call to the API carries none.",
        "Assign the managed identity to the app. A caller sends the header `Authorization: Bearer <token>`.",
    ),
    "ApiServerUntrusted": ReasonText(
        "The certificate of a cluster's API server isn't one of the authority that its kubeconfig names, for its name, "
        "at this time. The message has the words of the TLS library.",
        "Nothing, if the cluster's certificates were rotated a moment ago. Otherwise look for what answers in its "
        "place, and at the dates of its certificates (`az aks rotate-certs`).",
    ),
    "Unreachable": ReasonText(
        "A cluster or an Azure service doesn't answer.", "Check the network between the app and it."
    ),
    "NoKubeconfig": ReasonText(
        "Azure can't return the cluster's kubeconfig yet.", "Nothing. If this stays, look at the cluster."
    ),
    "LedgerUnavailable": ReasonText(
        "The store doesn't answer.", "Check the storage account, its network, and the verifier's role on it."
    ),
    "DeadlinePassed": ReasonText(
        "A step didn't finish in time.", "The message says what it waited for: see that reason."
    ),
    "StepBroken": ReasonText(
        "A step ended with an unexpected error.", "The app's log has the error; please report it."
    ),
    "DocumentAbsent": ReasonText(
        "A document that a step needs isn't in the store.",
        "[store.md](store.md) says what the document is. Find out who removed it, and restore it from a backup.",
    ),
    "DocumentBroken": ReasonText(
        "A document of the store can't be read.", "Restore an earlier version of the document that the message names."
    ),
    "BadPolicy": ReasonText("The policy document is invalid.", "Correct the field that the message names."),
    "PolicyElsewhere": ReasonText(
        "The policy document is where older releases read it, and not where this one does.",
        "Copy it as the message says, and delete the old one. No flow starts before, as its knobs would be lost.",
    ),
    "NotAResourceId": ReasonText("A text isn't the resource id of an Azure resource.", "Correct it."),
    "NotACluster": ReasonText("A text isn't the resource id of an AKS cluster.", "Correct it."),
    "NotAName": ReasonText("A text isn't the name of an object of Kubernetes or of Consul.", "Correct it."),
    "SettingsMissing": ReasonText("Application settings are missing.", "Set the settings that the log names."),
    "SettingInvalid": ReasonText("An application setting can't be read.", "Correct the setting that the log names."),
    "MalformedEvent": ReasonText(
        "A field of the event is missing or has a wrong type.", "Correct the publisher of the event."
    ),
    "UnknownEventType": ReasonText("No flow handles events of this type.", "Correct the event subscription's filter."),
}

CALLS: Texts = {
    "MalformedBody": ReasonText("The body of the call has an error.", "Correct the field that the message names."),
    "MalformedQuery": ReasonText(
        "A query parameter of the call can't be read.", "Correct the parameter that the message names."
    ),
    "NoSuchInstance": ReasonText("No flow has this instance id.", "Correct the instance id."),
    "NoCensus": ReasonText("No census has been taken yet.", "Wait: a census is taken every morning."),
    "PlanChanged": ReasonText(
        "The plan has changed since its hash was computed.", "Get the plan again, and call with its new hash."
    ),
    "KeysUnreachable": ReasonText("Entra's signing keys can't be read now.", "Call again after 30 seconds."),
    "BadToken": ReasonText("The token wasn't signed by the app's tenant.", TOKEN),
    "WrongIssuer": ReasonText("The token was issued by another tenant.", TOKEN),
    "WrongAudience": ReasonText("The token is for another app.", TOKEN),
    "NoLifetime": ReasonText("The token doesn't say when it becomes valid and when it expires.", TOKEN),
    "NoObjectId": ReasonText("The token has no object id of its holder.", TOKEN),
    "NotYetValid": ReasonText("The token isn't valid yet.", "Correct the caller's clock, or call again later."),
    "Expired": ReasonText("The token has expired.", "Get a new token."),
}

SELF_TEST: Texts = {
    "ClockSkewed": ReasonText("The app's clock differs from Azure's.", "Restart the app."),
    "ProvidersUnregistered": ReasonText(
        "Resource providers aren't registered in a subscription.",
        "Run the `az provider register` that the result names.",
    ),
    "NotSubscribed": ReasonText("An event subscription is missing or not ready.", "Run `make deploy` again."),
    "EventLost": ReasonText("The self-test published an event that didn't arrive.", "Run `make deploy` again."),
    "KeyUnusable": ReasonText(
        "The key of a trust root is disabled, gone or can't sign. No root is given up before the other one signs.",
        "Enable the certificate's version, or recover the certificate, as the message says.",
    ),
    "WrongKey": ReasonText("A trust root's certificate doesn't match its key.", "Replace the root."),
}
