"""How the template teacher composes: a module with `prepare` and `write` for each kind of templates."""
