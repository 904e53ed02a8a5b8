"""The Azure Functions app: one blueprint per file of functions/."""

import logging
import os

import azure.durable_functions as df
import azure.functions as func

from functions import (
    api,
    bindings,
    issuers,
    releases,
    restore_check_steps,
    restore_plan_steps,
    restore_staging_steps,
    restore_steps,
    restores,
    selftest,
    sweeps,
    trust,
    trust_issuer_steps,
    trust_member_steps,
    trust_members,
    vaults,
)
from shared.adapters.telemetry import Telemetry

logging.getLogger("azure.core").setLevel(logging.WARNING)  # it logs every request and its headers
logging.getLogger("meshward").addHandler(Telemetry(os.environ))  # reads it when the first line is logged

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for module in (
    trust,
    trust_members,
    trust_member_steps,
    trust_issuer_steps,
    issuers,
    vaults,
    releases,
    bindings,
    restores,
    restore_plan_steps,
    restore_staging_steps,
    restore_steps,
    restore_check_steps,
    selftest,
    sweeps,
    api,
):
    app.register_functions(module.app)
