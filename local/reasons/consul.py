"""What a Consul datacenter refuses, or can't do now."""

from local.reasons import ReasonText, Texts

NOTHING = "Nothing; it continues by itself."

CONSUL: Texts = {
    "LoginRefused": ReasonText(
        "The auth method doesn't let Meshward's identity in: another audience or issuer, an unknown method, or no "
        "binding rule with an existing policy matches.",
        "Compare the auth method and its binding rules with the claims that the message names.",
    ),
    "NoLeader": ReasonText(
        "A datacenter has no leader now, or the servers that were asked can't reach it.",
        "If this stays, look at its servers: `consul operator raft list-peers`, `consul members -wan`.",
    ),
    "CaBusy": ReasonText("Somebody else is changing the CA configuration of the datacenter.", NOTHING),
    "CaConfigurationChanged": ReasonText(
        "After Meshward had written the CA configuration, another one was read.",
        "Find out who writes it beside Meshward: a pipeline, or `consul connect ca set-config`.",
    ),
    "CaConfigurationRefused": ReasonText(
        "Consul refuses the CA configuration. Nothing was changed.", "Correct the value that the message names."
    ),
    "CannotSign": ReasonText(
        "A datacenter can't sign leaves: its root has expired, or a secondary got no intermediate for the new root. "
        "Its services stop when their leaves expire.",
        'For a secondary, correct its replication token (it needs `operator = "write"`), then restart its leader. '
        "For an expired root, rotate.",
    ),
    "ConfigEntryChanged": ReasonText("Somebody else has changed the config entry at the same time.", NOTHING),
    "ConfigEntryRefused": ReasonText(
        "Consul refuses a config entry. Nothing was changed.", "Correct the field that the message names."
    ),
}
