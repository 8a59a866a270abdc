"""The worker of `truegreen watch`: the collector's receiver, windows of style and sketches, the detectors of drift."""
