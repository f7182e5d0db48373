"""Who may come in: people, their roles and passwords, tokens of scripts."""
