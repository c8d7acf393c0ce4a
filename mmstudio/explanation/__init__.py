"""Why a model answers as it does for one sample: what of each input counted.

``explain`` gives, per input that is there, a map over the sample itself, and what would have to
change for another answer.
"""
