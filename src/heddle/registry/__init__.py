"""What a team keeps: models, their versions and aliases."""
