"""truegreen.yaml to a model, with line-true errors."""
