"""The templates in an adapter's folder `init`: what `keysteward init` writes of it."""

from __future__ import annotations

from importlib.resources import files


def template(package: str, name: str) -> str:
    """Return the text of one template beside a package ("keysteward.providers.keycloak", "keycloak.py")."""
    return files(package).joinpath("init", f"{name}.jinja").read_text(encoding="utf-8")
