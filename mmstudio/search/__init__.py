"""The search for the settings that suit a project best, in the time that there is."""
