"""Which calls restored workloads get, and what their answers say."""

from typing import Any

import msgspec
import pytest

from shared.domain.restores.answers import Answer, answer_of, check_of, missing_answer
from shared.domain.restores.calls import ALLOWED, DENIED, WorkloadCall, calls_of, objects_of, pod_of
from shared.domain.restores.policy import Probe, VerifyPolicy
from shared.domain.restores.rungs import HANDSHAKE, PROBE, REFUSAL, Rung
from tests.worlds.facts.plans import KNOBS

PLACES = {"shop": "verify-shop", "orders": "verify-orders"}


def pod(place: str, workload: str, *ports: dict[str, Any], meshed: bool = True, ready: bool = True) -> dict[str, Any]:
    labels = {"app": workload, "pod-template-hash": "5f6d"}
    return {
        "metadata": {
            "name": f"{workload}-5f6d-x",
            "namespace": place,
            "labels": labels,
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"{workload}-5f6d"}],
        },
        "spec": {
            "containers": [
                {"name": workload, "ports": list(ports)},
                *([{"name": "linkerd-proxy", "ports": [{"name": "linkerd-admin", "containerPort": 4191}]}] * meshed),
            ]
        },
        "status": {"podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


HTTP = {"name": "http", "containerPort": 8080}
PLAIN = {"containerPort": 5432}


def called(*pods: dict[str, Any], knobs: VerifyPolicy = KNOBS, meshed: bool = True) -> list[WorkloadCall]:
    return calls_of({"Pod": pods, "Namespace": []}, PLACES, knobs, meshed=meshed)


def test_in_each_meshed_namespace_one_who_may_and_one_who_may_not_call_a_workload() -> None:
    calls = called(pod("verify-shop", "web", HTTP), pod("verify-orders", "db", PLAIN), pod("verify-shop", "a", PLAIN))
    assert [(c.namespace, c.account, c.about, c.speaks) for c in calls] == [
        ("verify-shop", ALLOWED, "web:8080", "http"),
        ("verify-shop", DENIED, "web:8080", "http"),
        ("verify-orders", ALLOWED, "db:5432", "http"),
        ("verify-orders", DENIED, "db:5432", "http"),
    ]
    assert calls[0].command[-1] == "http://10.0.0.7:8080/.well-known/meshward"


def test_pods_outside_the_mesh_or_not_ready_or_without_a_port_aren_t_called() -> None:
    assert called(pod("verify-shop", "web", HTTP, meshed=False)) == []
    assert called(pod("verify-shop", "web", HTTP, ready=False)) == []
    assert called(pod("verify-shop", "web")) == []
    assert called(pod("verify-shop", "web", HTTP), meshed=False) == [], "the mesh isn't Meshward's"


def test_one_mesh_identity_alone_is_let_in_to_the_port_that_is_called() -> None:
    calls = called(pod("verify-shop", "web", HTTP))
    made = objects_of(calls, "v")
    assert [kind for kind, _ in made] == [
        "ServiceAccount",
        "MeshTLSAuthentication",
        "Server",
        "AuthorizationPolicy",
        "ServiceAccount",
    ]
    specs = {kind: body.get("spec") for kind, body in made}
    server = specs["Server"]
    assert server == {"podSelector": {"matchLabels": {"app": "web"}}, "port": 8080}
    assert specs["MeshTLSAuthentication"]["identityRefs"] == [{"kind": "ServiceAccount", "name": ALLOWED}]
    assert specs["AuthorizationPolicy"]["targetRef"]["name"] == "meshward-web-8080"
    assert {body["metadata"]["labels"]["meshward.io/verifies"] for _, body in made} == {"v"}


def test_the_pod_of_a_call_is_admitted_by_every_pod_security_standard() -> None:
    spec = pod_of(called(pod("verify-shop", "web", HTTP))[0], "v")["spec"]
    security = spec["containers"][0]["securityContext"]
    assert (security["runAsNonRoot"], security["allowPrivilegeEscalation"]) == (True, False)
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert spec["restartPolicy"] == "Never"


def test_probes_of_the_policy_document_call_a_path_a_port_or_run_a_command() -> None:
    knobs = VerifyPolicy(
        probes=(
            Probe(namespace="shop", workload="web", port=8080, path="/health"),
            Probe(namespace="shop", workload="web", port=9000),
            Probe(namespace="orders", image="contoso/check:1", command=("check", "--orders")),
            Probe(namespace="elsewhere", workload="web", port=1),
        )
    )
    probes = [c for c in called(pod("verify-shop", "web", HTTP), knobs=knobs) if c.rung == PROBE]
    assert [(c.namespace, c.speaks, c.image, c.command[-1], c.name) for c in probes] == [
        ("verify-shop", "http", KNOBS.probe_image, "http://10.0.0.7:8080/health", "meshward-probe-0"),
        ("verify-shop", "tcp", KNOBS.probe_image, "telnet://10.0.0.7:9000", "meshward-probe-1"),
        ("verify-orders", "command", "contoso/check:1", "--orders", "meshward-probe-2"),
    ]


def a_call(rung: Rung, speaks: Any) -> WorkloadCall:
    facts = {"name": "n", "namespace": "p", "about": "web:8080", "account": ALLOWED, "image": "i", "command": ()}
    return WorkloadCall(rung=rung, speaks=speaks, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rung", "message", "passed"),
    [
        (HANDSHAKE, "200 0 ", True),
        (HANDSHAKE, "404 0 ", True),
        (HANDSHAKE, "502 0 ", True),  # from beyond the handshake: the workload doesn't speak HTTP
        (HANDSHAKE, "502 0 connection error: received fatal alert: UnknownCA", False),
        (HANDSHAKE, "504 0 endpoint 10.0.0.7:8080: service in fail-fast", False),
        (HANDSHAKE, "000 56 ", False),
        (HANDSHAKE, "", False),
        (REFUSAL, "403 0 ", True),
        (REFUSAL, "403 0 unauthorized request on route", True),
        (REFUSAL, "200 0 ", False),
        (REFUSAL, "504 0 service in fail-fast", False),
        (REFUSAL, "000 28 ", False),
        (PROBE, "204 0 ", True),
        (PROBE, "500 0 ", False),
        (PROBE, "404 0 ", False),
        (PROBE, "000 7 ", False),
    ],
)
def test_an_answer_passes_only_if_it_shows_what_was_asked(rung: Rung, message: str, passed: bool) -> None:
    check = check_of(a_call(rung, "http"), Answer(exit_code=0, message=message))
    assert (check.name, check.passed, check.weight) == (rung.name, passed, "failure")


def test_a_403_to_whom_the_mesh_lets_in_proves_nothing_either_way() -> None:
    check = check_of(a_call(HANDSHAKE, "http"), Answer(exit_code=0, message="403 0 "))
    assert (check.passed, check.weight) == (False, "finding")


@pytest.mark.parametrize(
    ("port", "code", "passed", "weight"),
    [(0, 0, True, "failure"), (0, 7, False, "failure"), (8080, 0, False, "finding"), (8080, 28, False, "failure")],
)
def test_an_accepted_connection_says_nothing_where_a_proxy_accepts_it(
    port: int, code: int, passed: bool, weight: str
) -> None:
    call = msgspec.structs.replace(a_call(PROBE, "tcp"), port=port)
    check = check_of(call, Answer(exit_code=code, message=f"000 {code} "))
    assert (check.passed, check.weight) == (passed, weight)


@pytest.mark.parametrize("code", [0, 1])
def test_a_command_passes_by_its_exit_code(code: int) -> None:
    check = check_of(a_call(PROBE, "command"), Answer(exit_code=code, message="3 orders"))
    assert (check.passed, check.finding) == (code == 0, f"web:8080: exit code {code} 3 orders")


def test_of_a_command_a_verdict_tells_what_it_wrote_for_that_and_no_more() -> None:
    wordy = check_of(a_call(PROBE, "command"), Answer(exit_code=1, message="x" * 5_000))
    assert len(wordy.finding) < 300
    container = pod_of(called(pod("verify-shop", "web", HTTP))[0], "v")["spec"]["containers"][0]
    assert container["terminationMessagePolicy"] == "File", "and nothing of its log"


def test_a_call_that_couldn_t_run_is_no_fault_of_the_copy() -> None:
    nobody = Answer(exit_code=None, message="ImagePullBackOff")
    assert check_of(a_call(HANDSHAKE, "http"), nobody).weight == "finding"
    assert check_of(a_call(PROBE, "command"), nobody).weight == "unknown"


def test_the_answer_is_the_termination_message_of_the_call_s_own_container() -> None:
    proxy = {"name": "linkerd-proxy", "state": {"running": {}}}
    ended = {"name": "call", "state": {"terminated": {"exitCode": 0, "message": "200 0 "}}}
    assert answer_of({"status": {"containerStatuses": [proxy, ended]}}) == Answer(exit_code=0, message="200 0 ")
    assert answer_of({"status": {"containerStatuses": [proxy]}}) is None
    assert answer_of(None) is None
    expired = {"status": {"phase": "Failed", "reason": "DeadlineExceeded"}}
    assert answer_of(expired) == Answer(exit_code=None, message="DeadlineExceeded")


def test_whoever_waits_no_longer_is_told_why_there_is_no_answer() -> None:
    waiting = {"name": "call", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    assert missing_answer({"status": {"containerStatuses": [waiting]}}).message == "ImagePullBackOff"
    assert missing_answer(None).message == "it didn't start in time"
