#!/bin/sh
# The whole rollout with plain az; every step may be repeated, alone too. Log in first: az login.
# AZURE_ENV_NAME names the installation, AZURE_LOCATION its region; MESHWARD_AUDIENCE comes from infra/entra.sh.
# MESHWARD_PACKAGE is a package of a release, if none is to be built.
# MESHWARD_SUBSCRIPTION_IDS has the subscriptions of the fleet, separated by commas, if it isn't the current one alone.
set -eu
. "$(dirname "$0")/help.sh"
arguments $# 0 0
cd "$(dirname "$0")/.."
: "${AZURE_ENV_NAME:?names the installation}" "${AZURE_LOCATION:?is its region}"
: "${MESHWARD_AUDIENCE:?comes from infra/entra.sh}"
export AZURE_ENV_NAME AZURE_LOCATION MESHWARD_AUDIENCE

# First what takes the least: a package that can't be had would be missed after a quarter of an hour.
[ -n "${MESHWARD_PACKAGE:-}" ] || infra/package.sh
[ -f "${MESHWARD_PACKAGE:=out/meshward.zip}" ] || { echo "There is no package $MESHWARD_PACKAGE" >&2; exit 1; }
made="$(infra/provision.sh)"
AZURE_RESOURCE_GROUP="$(echo "$made" | sed -n 's/^AZURE_RESOURCE_GROUP=//p')"
FUNCTION_APP="$(echo "$made" | sed -n 's/^FUNCTION_APP=//p')"
export AZURE_RESOURCE_GROUP FUNCTION_APP

infra/publish.sh "$MESHWARD_PACKAGE"
infra/after-code.sh
echo "Rolled out. What it lacks, once its roles act: infra/selftest.sh $FUNCTION_APP.azurewebsites.net"
