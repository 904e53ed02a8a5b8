"""A cluster's tag asks for a share or a machine, and its owner grants: naming what is somebody else's gives nothing."""

import json
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from local.cloud.arm import Resource
from local.cloud.wire import Exchange, InjectedFault, Reply
from local.cloud.world import World
from local.host.durable import OrchestrationState
from local.stage import RunningApp
from shared.domain.vaults.consents import CONSENT_TAG
from tests.worlds.app import NO_WATCH, call, open_app
from tests.worlds.consents import agree, withdraw
from tests.worlds.mutants import Mutant
from tests.worlds.protections import (
    CLUSTER,
    INSTANCES,
    cluster_of,
    finished,
    of,
    one,
    protected,
    runs,
    write_policy,
    writes,
)
from tests.worlds.times import DAY

ACCOUNT, MACHINE = "stpayroll", "vm-payroll"
RECOVERY = "Microsoft.RecoveryServices/vaults"
ITEMS = f"{RECOVERY}/backupFabrics/protectionContainers/protectedItems"
ROLES = "Microsoft.Authorization/roleAssignments"


def seed(world: World) -> None:
    """A cluster whose team may write its tags, and a share and a machine of another team."""
    world.file_shares.create(ACCOUNT, "salaries")
    world.machines.add(MACHINE, group="rg-payroll")
    names = {"meshward:files": f"rg-storage/{ACCOUNT}/salaries", "meshward:machines": f"rg-payroll/{MACHINE}"}
    world.aks.add(CLUSTER, tags={"meshward:protect": "true", **names})


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed, settings=NO_WATCH) as stage:
        yield stage


def owned(stage: RunningApp) -> list[Resource]:
    """The other team's account and machine."""
    return [stage.world.file_shares.account(ACCOUNT), stage.world.machines.find(MACHINE)]


def asked_about(stage: RunningApp) -> list[Exchange]:
    """What was asked by a URL or a body that names one of them."""
    named = re.compile(f"{ACCOUNT}|{MACHINE}", re.IGNORECASE)
    return [
        e for e in stage.world.wire.exchanges if named.search(e.url) or named.search(e.request.decode(errors="replace"))
    ]


def roles_on(stage: RunningApp, scope: str) -> list[Resource]:
    return [role for role in of(stage.world, ROLES) if role["id"].lower().startswith(f"{scope}/".lower())]


async def run_again(stage: RunningApp) -> OrchestrationState:
    """The run that the sweep of another day starts; one that has failed starts again under its id."""
    await stage.clock.advance(DAY)
    await stage.run(lambda: all(run.ended for run in runs(stage)))
    return max(runs(stage), key=lambda run: run.id)


async def first_run(stage: RunningApp) -> OrchestrationState:
    stage.world.aks.announce(cluster_of(stage))
    return await finished(stage)


async def require_untouched(stage: RunningApp) -> OrchestrationState:
    """The cluster itself is protected, and of what isn't its own nothing was read but the tags."""
    run = await first_run(stage)
    assert run.status == "Failed"
    assert one(stage, INSTANCES)["properties"]["currentProtectionState"] == "ProtectionConfigured"
    ids = {each["id"].lower() for each in owned(stage)}
    assert {(e.method, e.url.partition("?")[0].partition("/subscriptions")[2].lower()) for e in asked_about(stage)} == {
        ("GET", id.removeprefix("/subscriptions")) for id in ids
    }
    assert [role for id in ids for role in roles_on(stage, id)] == []
    assert of(stage.world, RECOVERY) == [], "a vault that would protect nothing"
    return run


async def test_who_names_somebody_else_s_share_and_machine_gets_no_role_no_lock_and_no_registration(
    stage: RunningApp,
) -> None:
    run = await require_untouched(stage)
    assert "VolumesRefused: refuse machine rg-payroll/vm-payroll: NotConsented: " in (run.failure or "")
    assert "refuse share stpayroll/salaries: NotConsented: " in (run.failure or "")


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (CONSENT_TAG, "rg-clusters/aks-old"),
        (CONSENT_TAG, f"rg-other/{CLUSTER}"),
        (CONSENT_TAG, CLUSTER),
        (CONSENT_TAG, "true"),
        (CONSENT_TAG, "*"),
        (CONSENT_TAG, f"rg-clusters/{CLUSTER}-2, rg-clusters"),
        (CONSENT_TAG, f"rg-clusters/../rg-clusters/{CLUSTER}"),
        (CONSENT_TAG, "rg-clusters/a\N{KELVIN SIGN}s-new"),
        ("meshward:cluster", f"rg-clusters/{CLUSTER}"),
        (f"{CONSENT_TAG}-2", f"rg-clusters/{CLUSTER}"),
    ],
)
async def test_a_tag_that_does_not_name_the_cluster_by_group_and_name_is_no_consent(
    stage: RunningApp, tag: str, value: str
) -> None:
    for each in owned(stage):
        each["tags"] = {tag: value}
    await require_untouched(stage)


def named_commands(text: str) -> list[list[str]]:
    """The commands in a message, as a shell reads them."""
    return [shlex.split(found) for found in re.findall(r"az tag update .*?(?=; or add)", text)]


def obey(stage: RunningApp, command: list[str]) -> None:
    """Do what `az tag update --operation merge` does."""
    given = dict(zip(command[3::2], command[4::2], strict=True))
    assert (command[:3], given["--operation"]) == (["az", "tag", "update"], "merge")
    tag, _, value = given["--tags"].partition("=")
    stage.world.arm.resources[given["--resource-id"].lower()].setdefault("tags", {})[tag] = value


async def test_plan_status_and_log_have_the_command_by_which_the_owner_agrees_and_it_does(stage: RunningApp) -> None:
    owned(stage)[0]["tags"] = {CONSENT_TAG: "rg-(a)/aks-1, `reboot`, x;y", "team": "payroll"}
    route = f"plans/protections?cluster_id={cluster_of(stage)['id']}"
    _, shown = await call(stage, "GET", route)
    planned = [change["why"] for change in shown["changes"] if change["act"] == "refuse"]
    run = await require_untouched(stage)
    logged = " ".join(line for line in stage.log if "data source refused" in line)
    commands = named_commands(" ".join(planned))
    assert len(commands) == 2
    assert named_commands(run.failure or "") == commands
    assert all(why in logged for why in planned)
    for command in commands:
        obey(stage, command)
    assert owned(stage)[0]["tags"] == {CONSENT_TAG: f"rg-(a)/aks-1,rg-clusters/{CLUSTER}", "team": "payroll"}
    again = await run_again(stage)
    assert again.status == "Completed", again.failure
    assert {item["properties"]["friendlyName"] for item in of(stage.world, ITEMS)} == {"salaries", MACHINE}


async def test_the_line_for_the_policy_document_does_it_too(stage: RunningApp) -> None:
    run = await require_untouched(stage)
    lines = re.findall(r'policy document ("clusters": .*?\}\}); if nobody', run.failure or "")
    said: dict[str, Any] = {"sources": []}
    for line in lines:
        ((cluster, layer),) = json.loads(f"{{{line}}}")["clusters"].items()
        assert cluster.lower() == cluster_of(stage)["id"].lower()
        said["sources"] += layer["sources"]
    stage.say(clusters={cluster_of(stage)["id"]: said})
    again = await run_again(stage)
    assert again.status == "Completed", again.failure
    assert len(of(stage.world, ITEMS)) == 2


async def test_the_policy_document_s_list_for_another_cluster_is_no_consent(stage: RunningApp) -> None:
    sources = [each["id"] for each in owned(stage)]
    stage.say(clusters={f"{cluster_of(stage)['id']}-other": {"sources": sources}})
    await require_untouched(stage)


async def test_one_owner_s_no_holds_up_no_other_owner_s_yes(stage: RunningApp) -> None:
    world = stage.world
    world.file_shares.create("stshop", "carts")
    agree(world.file_shares.account("stshop"))
    cluster_of(stage)["tags"]["meshward:files-2"] = "rg-storage/stshop/carts"
    run = await first_run(stage)
    assert "NotConsented" in (run.failure or "")
    (item,) = of(world, ITEMS)
    assert item["properties"]["friendlyName"] == "carts"
    assert [len(roles_on(stage, world.file_shares.account(name)["id"])) for name in ("stshop", ACCOUNT)] == [2, 0]


async def test_an_account_that_another_vault_has_locked_gets_no_role_though_its_owner_agrees(stage: RunningApp) -> None:
    agree(*owned(stage))
    stage.world.file_shares.create(ACCOUNT, "theirs")
    stage.world.recovery_vaults.protect("rsv-theirs", ACCOUNT, "theirs")
    before = roles_on(stage, owned(stage)[0]["id"])
    run = await first_run(stage)
    assert "rsv-theirs holds it, or its storage account" in (run.failure or "")
    assert roles_on(stage, owned(stage)[0]["id"]) == before
    sent = [line for line in writes(stage.world) if ACCOUNT in line.lower()]
    assert sent == []


async def agreed_and_protected(stage: RunningApp) -> None:
    agree(*owned(stage))
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)


async def test_an_owner_who_withdraws_keeps_the_backups_and_gets_nothing_new(stage: RunningApp) -> None:
    await agreed_and_protected(stage)
    for role in roles_on(stage, owned(stage)[0]["id"]):
        stage.world.arm.remove(role["id"])
    withdraw(*owned(stage))
    write_policy(stage, keep="P14D")
    before, policies = writes(stage.world), [item["properties"]["policyId"] for item in of(stage.world, ITEMS)]
    for _ in range(3):
        run = await run_again(stage)
        assert (run.failure or "").count("NotConsented: its owner hasn't agreed") == 2
        assert (run.failure or "").count("it stays protected until somebody stops that") == 2
    since = [line for line in writes(stage.world)[len(before) :] if "backupVaults" not in line]
    assert not [line for line in since if "roleAssignments" in line or "protected" in line or "DELETE" in line]
    assert [item["properties"]["policyId"] for item in of(stage.world, ITEMS)] == policies
    assert {item["properties"]["protectionState"] for item in of(stage.world, ITEMS)} <= {"IRPending", "Protected"}
    assert roles_on(stage, owned(stage)[0]["id"]) == []


async def test_who_withdraws_between_the_plan_and_the_registration_is_not_registered(stage: RunningApp) -> None:
    agree(*owned(stage))

    def no(function: str, moment: str) -> None:
        if (function, moment) == ("start_registration", "before"):
            stage.host.on_invocation(None)
            withdraw(owned(stage)[0])

    stage.host.on_invocation(no)
    run = await first_run(stage)
    assert "NotConsented" in (run.failure or "")
    assert [item["name"].partition(";")[0] for item in of(stage.world, ITEMS)] == ["VM"]
    assert ACCOUNT not in str(of(stage.world, f"{RECOVERY}/backupFabrics/protectionContainers"))


async def test_who_withdraws_before_the_vault_is_made_gives_it_no_role(stage: RunningApp) -> None:
    agree(*owned(stage))

    def no(function: str, moment: str) -> None:
        if (function, moment) == ("ensure_vault", "before"):
            stage.host.on_invocation(None)
            withdraw(owned(stage)[0])

    stage.host.on_invocation(no)
    run = await first_run(stage)
    assert "NotConsented" in (run.failure or "")
    assert roles_on(stage, owned(stage)[0]["id"]) == []
    assert [item["name"].partition(";")[0] for item in of(stage.world, ITEMS)] == ["VM"], "its owner still agrees"


async def test_the_census_names_what_is_backed_up_without_consent(stage: RunningApp) -> None:
    await agreed_and_protected(stage)
    withdraw(owned(stage)[0])
    await stage.clock.advance(DAY)
    _, census = await call(stage, "GET", "census")
    (found,) = [each for each in census["clusters"] if each["cluster"].endswith(CLUSTER)]
    machine, share = found["volumes"]
    assert (machine["protected"], machine["reason"], machine["message"]) == (True, "", "")
    assert (share["protected"], share["reason"]) == (True, "NotConsented")
    assert len(named_commands(share["message"])) == 1
    lines = [line for line in stage.log if "backups without consent" in line]
    assert lines
    assert all("share stpayroll/salaries" in line and MACHINE not in line for line in lines)


async def test_what_can_not_be_read_is_neither_a_yes_nor_a_no(stage: RunningApp) -> None:
    await agreed_and_protected(stage)
    write_policy(stage, keep="P14D")
    answer = Reply(status=400, body={"error": {"code": "BadRequest", "message": "try another API version"}})
    stage.world.wire.inject(InjectedFault(f"GET .*/storageAccounts/{ACCOUNT}$", "answer", 99, answer))
    run = await run_again(stage)
    assert "refuse share stpayroll/salaries: ConsentUnknown: " in (run.failure or "")
    moved = {i["properties"]["friendlyName"]: i["properties"]["policyId"][-3:] for i in of(stage.world, ITEMS)}
    assert moved == {"salaries": "-7d", MACHINE: "14d"}
    assert len(roles_on(stage, owned(stage)[0]["id"])) == 2


def always(real: Any, *_: Any) -> bool:
    """What a list says that holds everything."""
    return True


async def test_if_naming_granted_the_vault_would_get_roles_there(tmp_path: Path) -> None:
    granting = Mutant("shared.domain.vaults.consents.lists", always)
    async with open_app(seed=seed, settings=NO_WATCH, app=granting.grow(tmp_path)) as stage:
        run = await first_run(stage)
        assert run.status == "Completed", run.failure
        assert len(roles_on(stage, owned(stage)[0]["id"])) == 2
