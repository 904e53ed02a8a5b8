"""The Azure Functions app: the blueprints of functions/."""

import logging
import os

import azure.durable_functions as df
import azure.functions as func

from functions import api, selftest, sweeps
from functions.restores import check_steps, plan_steps, restore_steps, staging_steps, verification
from functions.trust import members, root_steps, rotation
from functions.trust.linkerd import bundle_steps, issuer_steps, issuers
from functions.vaults import bindings, protection, releases
from shared.adapters.azure.telemetry import Telemetry

logging.getLogger("azure.core").setLevel(logging.WARNING)  # it logs every request and its headers
logging.getLogger("meshward").addHandler(Telemetry(os.environ))  # reads it when the first line is logged

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for module in (
    rotation,
    root_steps,
    members,
    bundle_steps,
    issuer_steps,
    issuers,
    protection,
    releases,
    bindings,
    verification,
    plan_steps,
    staging_steps,
    restore_steps,
    check_steps,
    selftest,
    sweeps,
    api,
):
    app.register_functions(module.app)
