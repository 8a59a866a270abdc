"""Other people's judgements as evaluations: a model as judge, metrics of other packages, scores in Langfuse, human reviews."""
