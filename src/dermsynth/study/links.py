"""Signed links that expire, and tokens derived from them; the database knows only hashes."""

import hashlib
import hmac
import secrets

from itsdangerous import BadSignature, TimestampSigner

DAY = 86_400


class Links:
    """Tokens signed with a study's key."""

    def __init__(self, secret: bytes, days: int = 90) -> None:
        self._secret, self._age = secret, days * DAY
        self._signer = TimestampSigner(secret, salt="link")

    def new(self) -> str:
        """A token for an invitation."""
        return self._signer.sign(secrets.token_urlsafe(18)).decode()

    def identity(self, token: str) -> str | None:
        """The hash under which a token is stored; None for a foreign signature or an expired link."""
        try:
            value = self._signer.unsign(token, max_age=self._age)
        except BadSignature:
            return None
        return hashlib.sha256(value).hexdigest()

    def personal(self, invitation: str, nonce: str) -> str:
        """The personal token of an invitation and of a page's nonce: the same whenever it is asked for."""
        value = hmac.new(self._secret, f"rater/{invitation}/{nonce}".encode(), hashlib.sha256).hexdigest()[:32]
        return self._signer.sign(value).decode()

    def form(self, token: str) -> str:
        """What a form of a page under this token must carry, so that no other site can send it."""
        return hmac.new(self._secret, f"form/{token}".encode(), hashlib.sha256).hexdigest()[:32]

    def check_form(self, token: str, value: str) -> bool:
        """Whether a form carries it."""
        return hmac.compare_digest(self.form(token).encode(), value.encode())


def organiser_hash(secret: bytes, token: str) -> str:
    """The hash of the organiser's token."""
    return hmac.new(secret, f"organiser/{token}".encode(), hashlib.sha256).hexdigest()
