"""The TLS stacks that judge a mesh's certificates in production: Go's, rustls, and OpenSSL at its strictest.

Rules:
- A stack answers with the reason of its refusal in its own words; an empty answer accepts.
- A chain is judged as a server's and as a client's, for proxies use theirs as both. An empty name isn't judged.
- All certificates and keys are PEM, a chain has the leaf first, `at` is Unix time.
"""

import json
import re
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.real.build import need

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.DOTALL)


class Stack(Protocol):
    """Whoever judges certificates."""

    def refusal(self, chain: str, roots: str, name: str, at: float) -> str:
        """Why a peer with these roots refuses the chain."""


@dataclass(frozen=True, kw_only=True)
class HandshakeEnd:
    """One end of a handshake: what it shows, and whom it trusts."""

    chain: str
    key: str
    roots: str


class VerifierProgram:
    """A program of `verifiers/`, asked a line at a time."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def refusal(self, chain: str, roots: str, name: str, at: float) -> str:
        return self._ask(op="validate", chain=chain, roots=roots, name=name, at=int(at))

    def handshake(self, client: HandshakeEnd, server: HandshakeEnd, name: str, at: float) -> str:
        """Why one of the two refuses the other; the client looks for a server of this name."""
        return self._ask(op="handshake", client=asdict(client), server=asdict(server), name=name, at=int(at))

    def _ask(self, **request: Any) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return str(json.loads(self._process.stdout.readline())["refusal"])

    def close(self) -> None:
        self._process.communicate()


class OpenSSL:
    """`openssl verify -x509_strict`; raises Missing where there is none."""

    def __init__(self) -> None:
        need("openssl")

    def refusal(self, chain: str, roots: str, name: str, at: float) -> str:
        leaf, *above = _CERTIFICATE.findall(chain)
        texts = {"leaf": leaf, "above": "".join(above), "roots": roots}
        with tempfile.TemporaryDirectory() as folder:
            files = {which: Path(folder) / which for which in texts}
            for which, text in texts.items():
                files[which].write_text(text)
            refusals = [self._verify(files, usage, name, at) for usage in ("sslserver", "sslclient")]
        return next(filter(None, refusals), "")

    def _verify(self, files: dict[str, Path], usage: str, name: str, at: float) -> str:
        options = ["-x509_strict", "-attime", str(int(at)), "-purpose", usage, "-no-CApath", "-no-CAstore"]
        options += ["-verify_hostname", name] if name else []
        options += ["-untrusted", str(files["above"])] if files["above"].stat().st_size else []
        command = ["openssl", "verify", *options, "-CAfile", str(files["roots"]), str(files["leaf"])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stderr if done.returncode else ""
