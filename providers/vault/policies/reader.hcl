# What preview, drift and inventory need: what is delivered, but no value.
# <mount>, <delivered>: as in consumer.hcl; <staging>: the store's staging=; <ledgers>: the prefix of the ledger store

path "<mount>/metadata/<delivered>" {
  capabilities = ["read"]
}

# For drift: the names of what lies beside it, where something may have been left behind.
path "<mount>/metadata/<beside>" {
  capabilities = ["list"]
}

path "<mount>/metadata/<staging>/*" {
  capabilities = ["read", "list"]
}

# Ledgers hold no secret of a client. They do hold the key of the fingerprints.
path "<mount>/metadata/<ledgers>/*" {
  capabilities = ["list"]
}

path "<mount>/data/<ledgers>/*" {
  capabilities = ["read"]
}

# Staged values lie under the prefix of the ledgers unless configured otherwise; the longer path wins.
path "<mount>/data/<staging>/*" {
  capabilities = ["deny"]
}

path "sys/capabilities-self" {
  capabilities = ["update"]
}
