"""The Pulumi program: deploys the stack that `stacks/<stack name>.py` declares and exports each client's client_id.

A hyphen in the stack's name is an underscore in the module's: prod-eu is stacks/prod_eu.py.
"""

import sys

# Pulumi puts this folder first on sys.path: whatever lies here could stand in for an installed package.
if sys.path[0] == __file__.rpartition("/")[0]:
    sys.path.pop(0)

import pulumi

from keysteward import KeystewardError, deploy, load_stack, placing

module = pulumi.get_stack().replace("-", "_")
try:
    stack = load_stack(module)
except KeystewardError as error:
    raise pulumi.RunError(str(error)) from None

for name, resource in deploy(stack, placed=placing(module)).items():
    if hasattr(resource, "client_id"):
        pulumi.export(name, resource.client_id)
