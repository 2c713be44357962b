"""Everything that talks: targets, stores, ledger stores, HTTP, and the one Pulumi bridge."""

import sys

if getattr(getattr(sys.modules.get("__main__"), "__spec__", None), "name", "") == "pulumi.dynamic.__main__":
    # Pulumi's plugin process, which has the project's folder first on sys.path: before anything else is imported.
    from keysteward.host.stack_modules import forget_working_folder

    forget_working_folder()
