"""The start page: the sample, a new project, an old one."""
