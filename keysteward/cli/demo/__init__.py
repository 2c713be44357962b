"""`make demo`: the main job end to end, on the sandbox or on a real Keycloak."""
