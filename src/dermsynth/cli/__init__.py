"""The command line: each verb calls one function. Nothing heavy is imported before a verb runs."""
