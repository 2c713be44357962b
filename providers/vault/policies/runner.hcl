# What a run needs: deliver, stage, and keep the ledgers.
# <mount>, <delivered>: as in consumer.hcl; <staging>: the store's staging=; <ledgers>: the prefix of the ledger store

# "read" of a delivered value: its other fields must survive, and `verify` uses the value before the old one ends.
path "<mount>/data/<delivered>" {
  capabilities = ["create", "update", "read"]
}

# "patch" describes a document in custom_metadata; "delete" removes one of which nothing is left.
path "<mount>/metadata/<delivered>" {
  capabilities = ["create", "read", "patch", "delete"]
}

# For drift: the names of what lies beside it, where something may have been left behind.
path "<mount>/metadata/<beside>" {
  capabilities = ["list"]
}

# Old versions that hold a retired secret.
path "<mount>/destroy/<delivered>" {
  capabilities = ["update"]
}

path "<mount>/data/<staging>/*" {
  capabilities = ["create", "update", "read"]
}

path "<mount>/metadata/<staging>/*" {
  capabilities = ["list", "read", "patch", "delete"]
}

# No "delete": a ledger is closed, never removed.
path "<mount>/data/<ledgers>/*" {
  capabilities = ["create", "update", "read"]
}

# No "update": what stands in the audit log stays as it is. The longer path wins.
path "<mount>/data/<ledgers>/audit/*" {
  capabilities = ["create", "read"]
}

path "<mount>/metadata/<ledgers>/*" {
  capabilities = ["list"]
}

path "sys/capabilities-self" {
  capabilities = ["update"]
}
