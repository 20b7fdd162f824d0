"""The bytes of published deals, and where Redis and the snapshot hold them; pure, no I/O.

Two kinds of value, both short strings of bytes that end in a check bound to their key:

    deal   by its id: what it stands for, open or not, until the end of its cool-off
           flags 1 (1: auto_connect, 2: closed), agent 4, expires 4 (unix seconds, 0: never),
           city 7, parties 1, for each how many numbers 1, each number 7, check 4
    index  by an outside number (deals with auto_connect), or by an agent and an outside number: the
           ids of open deals, newest first; a hint only, the deal itself says whether it is one
           id 4, .., check 4

Digits are stored as the integer of "1" and the digits, so that leading zeros count. A number has at
most 15 digits, 50 bits, so seven bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from number_registry.cache_layout import PREFIX
from number_registry.deals import Deal
from number_registry.e164 import E164
from number_registry.errors import CacheCorruptError

# Prime, so that numbers in blocks and ids in sequence spread alike; in Lua as here. At a million
# deals a bucket holds 122 fields.
BUCKETS = 8191
MOST_IDS = 16  # in one index: of more open deals between the same two the oldest are not looked at

DEAL, INDEX = "D", "i"  # kinds of a Change, and parts of the keys in Redis
_CHECK = 4
_HEAD = 17
_MASK62 = (1 << 62) - 1
_PAIR = 1 << 61
_AGENT = 0xD6E8FEB86659FD93
_OUTSIDE = 0x9E3779B97F4A7C15

# One round trip for an index and the deals it names, and for those that the asker knows of besides:
# what Redis knows is newer. KEYS[1], ARGV[1]: the index; ARGV[2]: prefix of deals' keys; ARGV[3]:
# buckets; then more deals. Gives index, name, deal, name, deal, .. with empty strings for what is
# not there.
SCRIPT = """
local index = redis.call('HGET', KEYS[1], ARGV[1]) or ''
local out, seen = {index}, {}
local function add(n)
  if not seen[n] then
    seen[n] = true
    local name = string.format('%d', n)
    out[#out + 1] = name
    out[#out + 1] = redis.call('HGET', ARGV[2] .. string.format('%d', n % ARGV[3]), name) or ''
  end
end
for at = 1, #index - 7, 4 do add((struct.unpack('>I4', index, at))) end
for at = 4, #ARGV do add(tonumber(ARGV[at])) end
return out
"""


def deal_key(id: str) -> int:
    """The key of a deal: its digits behind a 1."""
    return int("1" + id)


def id_of(key: int) -> str:
    """The inverse of `deal_key`."""
    return str(key)[1:]


def pair_key(agent: str, outside: E164) -> int:
    """The key of the open deals of an agent with an outside number. Two pairs may have the same
    one.
    """
    return (int("1" + agent) * _AGENT ^ int(outside) * _OUTSIDE) & (_PAIR - 1) | _PAIR


def auto_key(outside: E164) -> int:
    """The key of the open deals with auto_connect of an outside number."""
    return int(outside)


def is_auto(index: int) -> bool:
    """Whether this is the key of such an index."""
    return index < _PAIR


def place(kind: str, key: int) -> tuple[str, str]:
    """(key, field) in Redis of a deal or an index."""
    return f"{PREFIX}{kind}:{key % BUCKETS}", str(key)


def bucket_key(kind: str, bucket: int) -> str:
    """Redis key of one bucket: ``pg1:D:815``."""
    return f"{PREFIX}{kind}:{bucket}"


def pack_deal(deal: Deal) -> bytes:
    """The published bytes of a deal. Raises OverflowError where a field does not fit."""
    flags = deal.auto_connect | deal.closed << 1
    parts = [
        flags.to_bytes(1, "big"),
        int("1" + deal.agent).to_bytes(4, "big"),
        deal.expires.to_bytes(4, "big"),
        int(deal.city).to_bytes(7, "big"),
        bytes([len(deal.parties), *map(len, deal.parties)]),
    ]
    parts += [int(number).to_bytes(7, "big") for party in deal.parties for number in party]
    return _sealed(DEAL, deal_key(deal.id), b"".join(parts))


def unpack_deal(key: int, value: bytes) -> Deal:
    """What `pack_deal` gave. Raises CacheCorruptError for bytes that are not ours."""
    if not is_ours(DEAL, key, value):
        raise CacheCorruptError(f"deal {id_of(key)}: foreign value")
    at = _HEAD + value[_HEAD - 1]
    parties = []
    for count in value[_HEAD:at]:
        numbers = range(at, at + 7 * count, 7)
        parties.append(tuple([_number(value[first : first + 7]) for first in numbers]))
        at += 7 * count
    flags = value[0]
    return Deal(
        id_of(key),
        str(int.from_bytes(value[1:5], "big"))[1:],
        _number(value[9:16]),
        tuple(parties),
        bool(flags & 1),
        bool(flags & 2),
        int.from_bytes(value[5:9], "big"),
    )


def _number(value: bytes) -> E164:
    # What was packed was an E164, and the check says that it was packed.
    return str.__new__(E164, int.from_bytes(value, "big"))


def pack_index(key: int, ids: Iterable[int]) -> bytes:
    """The published bytes of an index: keys of deals, newest first. Empty for none."""
    some = list(ids)[:MOST_IDS]
    body = b"".join([one.to_bytes(4, "big") for one in some])
    return _sealed(INDEX, key, body) if some else b""


def unpack_index(key: int, value: bytes) -> list[int]:
    """Keys of deals, newest first; none for no bytes. Raises CacheCorruptError."""
    if not value:
        return []
    if not is_ours(INDEX, key, value):
        raise CacheCorruptError("index of deals: foreign value")
    return [int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value) - _CHECK, 4)]


def is_ours(kind: str, key: int, value: bytes) -> bool:
    """Whether these bytes were packed for this very key."""
    body, check = value[:-_CHECK], value[-_CHECK:]
    return len(body) >= _CHECK and _check(kind, key, body) == check


def _sealed(kind: str, key: int, body: bytes) -> bytes:
    return body + _check(kind, key, body)


def _check(kind: str, key: int, body: bytes) -> bytes:
    bound = key.to_bytes(8, "big") + body
    return blake2b(bound, digest_size=_CHECK, person=b"pg-deal-" + kind.encode()).digest()
