"""One module per family of commands. Each has `register(app: typer.Typer)`; see `ops.cli`."""
