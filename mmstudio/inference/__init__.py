"""A trained run at work: single samples, tables, figures."""
