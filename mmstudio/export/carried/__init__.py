"""How contents enter an exported model: each modality's file in this folder has one of these."""
