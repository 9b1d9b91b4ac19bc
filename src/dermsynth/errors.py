"""The one exception a user is meant to read."""


class UserError(Exception):
    """Input that cannot be used: one line that names the thing, its value and the way out."""
