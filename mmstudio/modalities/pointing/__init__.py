"""What of a content can be pointed at: patches, words, moments and pitches, columns.

Here, a folder below the modalities, so that nothing of it is loaded before it is asked for.
"""
