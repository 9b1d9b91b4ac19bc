"""The evaluation of a synthetic set against a real one: estimates, copy gate, verdict, and the result on disk."""
