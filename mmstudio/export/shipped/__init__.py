"""What travels with an exported model; nothing here imports torch or the rest of mmstudio."""
