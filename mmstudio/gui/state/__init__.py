"""What the window knows: each field has one owner, and each job a scope."""
