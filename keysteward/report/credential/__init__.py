"""One credential or resource server as people and programs see it."""
