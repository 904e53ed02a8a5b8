"""What the bench says of rotations over fleets."""

from typing import Any

from local.bench_rotation import rows, targets


def fleet(clusters: int, wall: float) -> dict[str, Any]:
    times = {"wall_s": wall, "virtual_s": 1_100, "critical_path_s": 1_000}
    return {"clusters": clusters, **times, "handshakes": 120_000, "failed_handshakes": 0}


def test_a_fleet_is_compared_with_its_slowest_cluster_and_with_the_smaller_fleet() -> None:
    named = rows([fleet(100, 50.0), fleet(1_000, 600.0)])
    assert named["rotation_1000_virtual_over_critical"] == 1.1
    assert named["rotation_1000_wall_growth"] == 1.2
    assert "rotation_100_wall_growth" not in named
    assert targets(named) == {
        "rotation_100_handshakes": ("at least", 100_000),
        "rotation_100_failed_handshakes": ("at most", 0),
        "rotation_100_virtual_over_critical": ("at most", 1.2),
        "rotation_1000_handshakes": ("at least", 100_000),
        "rotation_1000_failed_handshakes": ("at most", 0),
        "rotation_1000_virtual_over_critical": ("at most", 1.2),
        "rotation_1000_wall_growth": ("at most", 1.5),
    }
