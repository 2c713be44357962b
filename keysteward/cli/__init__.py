"""What a person runs beside `pulumi`: one module per command."""
