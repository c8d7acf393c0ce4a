"""What a notebook needs: training, runs and models as plain objects. ``mmstudio`` names them."""
