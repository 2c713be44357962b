# What the consumer of a delivered credential needs: read its own document, nothing else.
# <mount>: the KV version 2 engine; <delivered>: the path of the document, or a pattern such as apps/*

path "<mount>/data/<delivered>" {
  capabilities = ["read"]
}
