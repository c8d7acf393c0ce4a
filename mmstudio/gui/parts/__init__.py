"""What several pages and the window itself share."""
