"""A clock of one running program that a test sets ahead, so that what happens hourly happens in a minute.

Rules:
- It is a test's clock, and the test says so: the program is unmodified, but what it takes for the time is not.
- On Linux a program asks for the time in a page that the kernel maps into it (vDSO). The function there is replaced, in
  this process alone, by a system call and an addition. Calendar and monotonic clock move together.
- It takes x86-64 and the right to write the memory of a process that one has started. Where that isn't so, `needs` says
  what is missing.
"""

import os
import platform
import re
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import FileIO
from pathlib import Path

_CODE = bytes.fromhex("b8e4000000 0f05 488106 00000000 c3")  # mov eax, 228; syscall; add qword [rsi], seconds; ret
_SECONDS_AT = _CODE.index(bytes.fromhex("488106")) + 3
_FUNCTION = b"__vdso_clock_gettime"
_DYNAMIC_SYMBOLS, _SYMBOL = 11, struct.Struct("<IBBHQQ")
_HEADER, _SECTION = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQIIQQ")


def needs() -> str:
    """What a stepped clock lacks here; empty if nothing."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return "a stepped clock needs Linux on x86-64"
    return "" if os.geteuid() == 0 else "a stepped clock needs root, to write another process's memory"


class SteppedClock:
    """The clock of a process, as far ahead of the real one as it was told to go."""

    def __init__(self, pid: int) -> None:
        self._pid, self._ahead = pid, timedelta()
        start, end = _mapping(pid)
        with self._memory() as memory:
            memory.seek(start)
            self._function = start + _address(memory.read(end - start))
        with self._stopped(), self._memory() as memory:
            memory.seek(self._function)
            memory.write(_CODE)

    def step(self, by: timedelta) -> None:
        """Go ahead at once."""
        self._ahead += by
        with self._memory() as memory:
            memory.seek(self._function + _SECONDS_AT)
            memory.write(struct.pack("<i", int(self._ahead.total_seconds())))

    @contextmanager
    def _memory(self) -> Iterator[FileIO]:
        with Path(f"/proc/{self._pid}/mem").open("r+b", buffering=0) as memory:
            yield memory

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        os.kill(self._pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._pid, signal.SIGCONT)


def _mapping(pid: int) -> tuple[int, int]:
    (found,) = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) .*\[vdso\]$", Path(f"/proc/{pid}/maps").read_text(), re.MULTILINE)
    return int(found[0], 16), int(found[1], 16)


def _address(image: bytes) -> int:
    """Where the function is in the page."""
    header = _HEADER.unpack_from(image)
    offset, size, count = header[6], header[11], header[12]
    sections = [_SECTION.unpack_from(image, offset + number * size) for number in range(count)]
    (symbols,) = [section for section in sections if section[1] == _DYNAMIC_SYMBOLS]
    names = sections[symbols[6]][4]
    for at in range(symbols[4], symbols[4] + symbols[5], _SYMBOL.size):
        name, _, _, _, address, _ = _SYMBOL.unpack_from(image, at)
        if image[names + name :].split(b"\0", 1)[0] == _FUNCTION:
            return int(address)
    raise LookupError(f"this kernel's vDSO has no {_FUNCTION.decode()}")
