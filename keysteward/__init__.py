"""keysteward: machine credentials under version control."""
