"""What shows a picture, a sound, their small pictures; the modalities share them."""
