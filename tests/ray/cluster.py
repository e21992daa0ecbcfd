"""A Ray cluster of this machine, in a process of its own: `python cluster.py`.

It takes a command a line: `add` another node with one processor, `remove` the last one. It answers each with the
cluster's address, and the first time without a command. At the end of its input all of it ends.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from ray.cluster_utils import Cluster


def node() -> dict[str, Any]:
    """A node with one processor. With fixed ports Ray doesn't wait for its helpers, which take long to start."""
    ports = {}
    for name in ("metrics_agent_port", "metrics_export_port", "runtime_env_agent_port", "dashboard_agent_listen_port"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports[name] = free.getsockname()[1]
    return {"num_cpus": 1, "include_log_monitor": False, "object_store_memory": 100 << 20, **ports}


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={**node(), "include_dashboard": False})
    nodes = [cluster.add_node(**node())]
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "add":
            nodes.append(cluster.add_node(**node()))
        else:
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        print(cluster.address, flush=True)
    cluster.shutdown()


main()
