"""What a voter sees of a race without learning whose tile is whose: the order and the addresses of the tiles.

Both follow from a secret of the race and from the voter's cookie, so that they are stable on reload, differ from voter
to voter, and need no file. The votes on the disk name a voter by a hash, from which the cookie cannot be told.
"""

import hashlib
import hmac
import re
import secrets

from pipeline.web.races.race import Race

COOKIE = "voter"
VALUE = re.compile("[0-9a-f]{32}-[0-9a-f]{32}")
DIGITS = 24


def new_cookie(race: Race) -> str:
    """The value of the cookie of a new voter: random, and signed, so that nobody makes up values."""
    drawn = secrets.token_hex(16)
    return f"{drawn}-{_digest(race, 'cookie', drawn)[:32]}"


def voter_of(race: Race, cookie: str) -> str | None:
    """The id of the voter with this cookie; None if this race did not give it out."""
    if not VALUE.fullmatch(cookie):
        return None
    drawn, signature = cookie.split("-")
    if not hmac.compare_digest(signature, _digest(race, "cookie", drawn)[:32]):
        return None
    return _digest(race, "voter", drawn)[:32]


def tile_id(race: Race, voter: str, entry_id: str) -> str:
    """The id by which this voter knows the tile of an entry."""
    return _digest(race, "tile", voter, entry_id)[:DIGITS]


def tiles(race: Race, voter: str) -> dict[str, str]:
    """The entries by the ids of their tiles, in the order in which this voter sees them."""
    order = sorted(race.entries, key=lambda entry: _digest(race, "order", voter, entry.id))
    return {tile_id(race, voter, entry.id): entry.id for entry in order}


def _digest(race: Race, *parts: str) -> str:
    return hmac.new(race.secret.encode(), "|".join(parts).encode(), hashlib.sha256).hexdigest()
