"""The final report of `make run`: `out/run.json`, a table of the flows and the app's census."""

import re
from importlib.metadata import version
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from local.host.durable import OrchestrationState
from local.observe import Observed
from local.progress import Timing
from local.stage import APP, RunningApp

EVENTS = {
    "rotate_trust_root": "Microsoft.KeyVault.CertificateNearExpiry",
    "protect_cluster": "Microsoft.Resources.ResourceWriteSuccess",
    "verify_restore": "Meshward.Backup.Completed",
}


def report(
    stage: RunningApp, timings: dict[str, Timing], before: Observed, after: Observed, *, ok: bool
) -> dict[str, Any]:
    """The content of `out/run.json`. Times are in seconds, `virtual_s` in those of the simulated world."""
    instances = stage.host.instances()
    flows = {name: _flow(stage, name, [i for i in instances if i.name == name], timings) for name in EVENTS}
    return {"ok": ok, "flows": flows, "observed": _observed(before, after), "versions": _versions()}


async def census(stage: RunningApp) -> dict[str, Any]:
    """The census of the day, as HTTP shows it; the app takes it now if it hasn't yet."""
    await stage.host.invoke_timer("daily_census")
    headers = {"Authorization": f"Bearer {stage.token()}"}
    async with aiohttp.ClientSession(headers=headers) as http, http.get(f"{stage.host.url}/api/census") as answer:
        counted: dict[str, Any] = await answer.json()
        return counted


def show(
    console: Console,
    outcome: dict[str, Any],
    counted: dict[str, Any],
    verdicts: list[dict[str, Any]],
    missing: list[str],
) -> None:
    """The summary for people."""
    table = Table("flow", "status", "outcome", "virtual time", "real time")
    for name, flow in outcome["flows"].items():
        hours = f"{flow['virtual_s'] / 3600:.1f} h"
        table.add_row(name, flow["status"], flow["outcome"], hours, f"{flow['wall_s']} s")
    console.print(table)
    linkerd, restores = outcome["observed"]["linkerd"], outcome["observed"]["restores"]
    console.print(
        f"Linkerd: {linkerd['proxies']} proxies, {linkerd['handshakes']} handshakes, {linkerd['failed_handshakes']} "
        f"failed; trusted root {_short(linkerd['roots_before'])} before, {_short(linkerd['roots_after'])} after"
    )
    for one in outcome["observed"]["backup"]["instances"]:
        console.print(f"backup of {one['cluster']}: {one['protection_status']}")
    console.print(
        f"restores: {restores['verdict']}, data {restores['rpo_s']:.0f} s old (RPO), restored in "
        f"{restores['rto_s']:.0f} s (RTO), {restores['left_over']} resources left over"
    )
    for result in verdicts:
        if result["verdict"] != "Verified":
            _show_verdict(console, result)
    _show_census(console, counted)
    console.print(
        "[bold]ok[/bold]: the simulated world shows every goal; the report is in out/run.json"
        if not missing
        else f"[bold red]not reached:[/bold red] {', '.join(missing)}"
    )


def _show_verdict(console: Console, result: dict[str, Any]) -> None:
    """The report of a verification: each check, its finding and the seconds that it measured."""
    table = Table("check", "", "finding", "seconds", title=f"{result['verdict']}: backup {_name(result['job_id'])}")
    for check in result["checks"]:
        measured = "" if check["seconds"] is None else f"{check['seconds']:.0f}"
        table.add_row(check["name"], "✓" if check["passed"] else "✗", check["finding"], measured)
    console.print(table)
    if not result["checks"]:
        console.print("; ".join(result["reasons"]))


def _show_census(console: Console, counted: dict[str, Any]) -> None:
    table = Table("cluster", "vault and policy, or why not", "last good backup", "last verified restore")
    for one in counted["clusters"]:
        how = (
            f"{_name(one['vault'])}, {_name(one['policy'])}"
            if one["protected"]
            else f"{one['reason']}: {one['message']}"
        )
        table.add_row(_name(one["cluster"]), how, *(str(at or "–")[:16] for at in one["proof"].values()))
    console.print(table)
    console.print(
        f"census of {counted['taken_at'][:16]}: {counted['protected']} of {len(counted['clusters'])} clusters "
        f"protected, {counted['coverage_percent']} %"
    )


def _flow(stage: RunningApp, name: str, runs: list[OrchestrationState], timings: dict[str, Timing]) -> dict[str, Any]:
    first = runs[0]
    sent = [
        d.event
        for d in stage.world.event_grid.deliveries
        if EVENTS[name] in (d.event.get("eventType"), d.event.get("type"))
    ]
    return {
        "event_id": sent[0]["id"] if sent else None,
        "event_type": EVENTS[name],
        "instance_id": first.id,
        "status": first.status,
        "outcome": ", ".join(_outcome(run) for run in runs),
        "wall_s": max(timings[run.id].wall_s for run in runs),
        "virtual_s": max((run.updated - run.created).total_seconds() for run in runs),
    }


def _outcome(run: OrchestrationState) -> str:
    if run.failure:
        return run.failure
    output = run.output or {}
    return str(output.get("verdict") or output.get("protection") or f"{output.get('proxies')} proxies moved")


def _observed(before: Observed, after: Observed) -> dict[str, Any]:
    return {
        "linkerd": {
            "proxies": after.proxies,
            "handshakes": after.handshakes,
            "failed_handshakes": after.failed_handshakes,
            "roots_before": before.roots,
            "roots_after": after.roots,
        },
        "backup": {"instances": after.instances},
        "restores": {
            "verdict": _worst(after.verdicts),
            "rpo_s": max((one.rpo_s for one in after.restores), default=None),
            "rto_s": max((one.rto_s for one in after.restores), default=None),
            "left_over": after.left_over,
        },
    }


def _worst(verdicts: list[str]) -> str | None:
    ranks = ["Verified", "VerifiedWithFindings", "Inconclusive", "Failed"]
    return max(verdicts, key=ranks.index, default=None)


def _versions() -> dict[str, str]:
    pinned = re.findall(r"^([\w-]+)==", (APP / "requirements.txt").read_text(), re.MULTILINE)
    return {name: version(name) for name in [*pinned, "azure-functions-runtime"]}


def _short(roots: list[str]) -> str:
    return ", ".join(root[:8] for root in roots) or "none"


def _name(id: str) -> str:
    return id.rpartition("/")[2]
