"""What touches this machine and the wire: files, processes, git, HTTP."""
