"""One look at the bench's realm, as a command of its own: prints how many clients of the bench it shows.

The company is taken from the environment.
"""

from __future__ import annotations

import sys

from company import STACK, Company


def main() -> None:
    """Observe the realm with the reader's credential."""
    (realm,) = Company.from_environment().stack().targets.values()
    seen = realm.as_reader().observe(None)
    ours = sum(1 for item in seen.objects if item.mark is not None and item.mark.identity.startswith(f"{STACK}/"))
    sys.stdout.write(f"{ours}\n")


if __name__ == "__main__":
    main()
