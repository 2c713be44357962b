"""How text is put: plain, Markdown, findings, kinds."""
