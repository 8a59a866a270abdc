"""What an answer says beside its passages, in words: tokens, features and the trained coefficients. Standard library only."""
