"""The program called `az`, where `warm_az.py` runs: az.py SOCKET ARGUMENT…"""

import json
import os
import socket
import sys


def call(path: str, *arguments: str) -> int:
    """The exit status of `az` with these arguments."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(path)
        request = json.dumps({"arguments": arguments, "environ": dict(os.environ), "folder": os.getcwd()}).encode()
        socket.send_fds(channel, [len(request).to_bytes(8)], [0, 1, 2])
        channel.sendall(request)
        return int(channel.recv(16) or 1)


if __name__ == "__main__":
    sys.exit(call(*sys.argv[1:]))
