"""`make servers`: fetch and build what is not there yet, and say where each server is."""

from __future__ import annotations

import sys
import time

from server_cache import OVERRIDE, ServerUnavailable, cache, making
from servers import SERVERS, Server


def main() -> int:
    """Make all servers; returns 1 when one could not be made although this machine has what it needs."""
    print(f"The servers of the tests are kept in {cache()} ({OVERRIDE} names another folder).")
    with making():
        return max(_make(server) for server in SERVERS)


def _make(server: Server) -> int:
    named = f"{server.name} {server.version}"
    if server.is_there():
        print(f"{named}: {server.folder}")
        return 0
    if lacking := server.missing():
        print(f"{named}: cannot be made here: {'; '.join(lacking)}")
        return 0
    print(f"{named}: making it ({server.cost}) ...", flush=True)
    began = time.monotonic()
    try:
        server.make()
    except ServerUnavailable as reason:
        print(f"{named}: {reason}", file=sys.stderr)
        return 1
    print(f"{named}: {server.folder}, after {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
