"""Which process a run is, and whether that process is gone: only then is its lease taken over before it ends.

A runner id is `host/boot/pid/start/namespaces/nonce`. Numbers of processes mean something within one PID namespace of
one booted machine, and containers may share the rest: its name, its kernel and its boot. Whoever cannot tell for sure
waits for the lease to end.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from functools import lru_cache
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_PARTS: Final = 6
_UNKNOWN: Final = "-"
_ENDED: Final = {"Z", "X"}


def new_runner() -> str:
    """Return a runner id: host, boot, pid, process start, namespaces and a nonce."""
    pid = os.getpid()
    where = f"{socket.gethostname()}/{_boot_id()}"
    return f"{where}/{pid}/{_started(pid)}/{_namespaces()}/{secrets.token_hex(4)}"


def is_dead(runner: str) -> bool:
    """Say whether a runner id is for sure of a process that is gone, which only its own namespaces can tell.

    Ids of earlier versions say no namespaces. Another boot may be another machine of the same name.
    """
    parts = runner.split("/")
    if len(parts) != _PARTS or parts[:2] != [socket.gethostname(), _boot_id()]:
        return False
    if parts[4] == _UNKNOWN or parts[4] != _namespaces():
        return False
    try:
        return _started(int(parts[2])) != int(parts[3])
    except ProcessLookupError:
        return True
    except (OSError, ValueError, OverflowError):
        return False


@lru_cache(maxsize=1)
def _boot_id() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
    except OSError:
        import psutil  # noqa: PLC0415 - Linux tells it without

        return str(int(psutil.boot_time()))


def _namespaces() -> str:
    """Return what tells the present PID and time namespaces from others; "-" where that cannot be seen.

    (namespaces(7): inode numbers; time_namespaces(7): the start of a process is shown by the reader's own clock. A proc
    file system of another PID namespace shows others' processes under our numbers.)
    """
    if sys.platform != "linux":
        return "0"
    try:
        if str((_PROC / "self").readlink()) != str(os.getpid()):
            return _UNKNOWN
        inodes = [(_PROC / "self/ns/pid").stat().st_ino]
        time = _PROC / "self/ns/time"
        inodes += [time.stat().st_ino] if time.exists() else []
    except OSError:
        return _UNKNOWN
    return ".".join(map(str, inodes))


def _started(pid: int) -> int:
    """Return what tells a process from others that had its id: on Linux ticks since boot, whatever the clock is set to.

    Raises ProcessLookupError when it is gone, PermissionError when it is not shown. One that has ended with all its
    threads, and that its parent has not asked about, is gone too. (proc_pid_stat(5), fields 3, 20 and 22.)
    """
    if sys.platform != "linux":
        return _started_elsewhere(pid)
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except FileNotFoundError:
        os.kill(pid, 0)  # hidden (hidepid=2) is not gone: only a signal, of which nothing is sent, can tell
        raise PermissionError(pid) from None
    if fields[0] in _ENDED and int(fields[17]) <= 1:
        raise ProcessLookupError(pid)
    return int(fields[19])


def _started_elsewhere(pid: int) -> int:
    import psutil  # noqa: PLC0415 - Linux tells it without

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            raise ProcessLookupError(pid)
        return int(process.create_time() * 100)
    except psutil.NoSuchProcess:
        raise ProcessLookupError(pid) from None
    except psutil.Error:
        raise PermissionError(pid) from None
