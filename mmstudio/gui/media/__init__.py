"""What the window needs to show and edit a kind of content; one file per modality."""
