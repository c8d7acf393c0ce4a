"""What content looks like at a glance: fingerprints for copies, and cheap features.

Here, a folder below the modalities, so that nothing of it is loaded before it is asked for.
"""
