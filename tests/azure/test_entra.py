"""Tokens for whoever is signed in to the Azure CLI, by the real `az` from the simulated Entra."""

from pathlib import Path

import jwt

from local.cloud.entra import TENANT
from local.cloud.sign_in import SignIn
from tests.azure.deployer import Deployer

USER = "ada@contoso.example"


def asked(deployer: Deployer, audience: str) -> tuple[str, ...]:
    """The command that asks for a token, and Entra itself."""
    for kept in Path(deployer.environ["AZURE_CONFIG_DIR"]).glob("msal_http_cache*"):
        kept.unlink()  # az keeps a refusal for a minute
    return ("az", "account", "get-access-token", "--resource", audience, "--query", "accessToken", "--output", "tsv")


async def test_a_user_gets_a_token_from_the_registration_that_the_script_makes_and_an_assignment(
    deployer: Deployer,
) -> None:
    entra, graph = deployer.stage.world.entra, deployer.graph
    user = entra.add(USER, kind="user")
    SignIn(deployer.stage.world.wire, entra, graph, user)
    told = await deployer.run("infra/entra.sh", MESHWARD_AUDIENCE="")
    (app,) = graph.objects["applications"].values()
    audience = app["appId"]
    assert f"MESHWARD_AUDIENCE={audience} " in told
    await deployer.run("az", "login", "--use-device-code", "--tenant", TENANT)

    assert "AADSTS500011" in await deployer.refused(*asked(deployer, f"api://{TENANT}/meshward"))
    assert "AADSTS50105" in await deployer.refused(*asked(deployer, audience))
    allowed = app["api"].pop("preAuthorizedApplications")
    assert "AADSTS65001" in await deployer.refused(*asked(deployer, audience))

    app["api"]["preAuthorizedApplications"] = allowed
    (service,) = graph.objects["serviceprincipals"].values()
    (role,) = (each["id"] for each in app["appRoles"] if each["value"] == "operator")
    assigned = {"principalId": user.object_id, "resourceId": service["id"], "appRoleId": role}
    graph.objects["assigned"]["1"] = assigned
    for known_as in (audience, f"api://{audience}"):
        told = (await deployer.run(*asked(deployer, known_as))).strip()
        claims = jwt.decode(told, options={"verify_signature": False})
        assert (claims["aud"], claims["roles"], claims["idtyp"]) == (audience, ["operator"], "user")
