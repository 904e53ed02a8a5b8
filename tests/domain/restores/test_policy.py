"""The knobs of verifications: what a probe may say, and which values are impossible."""

from typing import Any

import pytest

from shared.domain.errors import PermanentError
from shared.domain.policy import policy_of
from tests.worlds.facts.policies import BLUE, read

WEB = {"namespace": "shop", "workload": "web", "port": 8080}


def test_a_probe_calls_a_port_or_runs_a_command() -> None:
    check = {"namespace": "orders", "image": "contoso/check:1", "command": ["check", "--orders"]}
    knobs = read(default={"verify": {"probes": [{**WEB, "path": "/health"}, check]}}).at().verify
    assert [(p.workload, p.port, p.path, p.command) for p in knobs.probes] == [
        ("web", 8080, "/health", ()),
        ("", None, "", ("check", "--orders")),
    ]


@pytest.mark.parametrize(
    ("knobs", "path"),
    [
        ({"sample_rate": 1.1}, r"\$.default.verify.sample_rate"),
        ({"share": 1.1}, r"\$.default.verify.sample_rate"),
        ({"namespaces_at_once": 0}, r"\$.default.verify.namespaces_at_once"),
        ({"rpo": "PT0S"}, r"\$.default.verify.rpo: not longer"),
        ({"scratch_group": "../rg", "staging_account": "st1"}, r"\$.default.verify.scratch_group: not a name"),
        ({"scratch_group": "rg", "staging_account": "St1"}, r"\$.default.verify.staging_account: not a name"),
        ({"scratch_group": "rg", "staging_account": "x.y"}, r"\$.default.verify.staging_account: not a name"),
        ({"scratch_cluster": "blue"}, r"\$.default.verify.scratch_cluster: blue isn't"),
        ({"probes": [{"namespace": "shop"}]}, r"\$.default.verify.probes\[0\].port: a probe has either"),
        ({"probes": [{**WEB, "command": ["x"], "image": "i"}]}, r"probes\[0\].port: a probe has either"),
        ({"probes": [{"namespace": "shop", "command": ["x"]}]}, r"probes\[0\].image: a command needs"),
        ({"probes": [{"namespace": "shop", "port": 80}]}, r"probes\[0\].workload: a port needs"),
        ({"probes": [{**WEB, "path": "health"}]}, r"probes\[0\].path: doesn't begin"),
        ({"probes": [{**WEB, "port": 65536}]}, r"probes\[0\].port"),
    ],
)
def test_what_can_t_be_is_refused_with_the_path_of_the_field(knobs: dict[str, Any], path: str) -> None:
    with pytest.raises(PermanentError, match=path):
        read(default={"verify": knobs})


def test_a_scratch_cluster_is_named_by_its_resource_id() -> None:
    assert policy_of(b'{"default": {"verify": {"scratch_cluster": "%s"}}}' % BLUE.encode()).at().verify.scratch_cluster
