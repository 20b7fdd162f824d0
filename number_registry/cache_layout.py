"""The one place that knows Redis keys and the bytes of published values; pure: ints, str and bytes
in and out, no I/O.

A number is published as one integer of 63 bits, so that Redis stores it in a listpack as 9 bytes
and the snapshot as one aligned cell. Nothing readable is in it but small indices; the names behind
them are in the directory.

    bit 62        always 1: a value of 0 means "no such number" everywhere
    bits 61..50   check: a mix of number and payload, so a value under a foreign key is noticed
    bits 49..30   attachment group, 0 = none                       (20 bits)
    bits 29..20   carrier of the first tenancy, 0 = none           (10 bits)
    bits 19..17   its state, as number_registry.model.State        (3 bits)
    bits 16..7    carrier of the second tenancy, bits 6..4 its state
    bits 3..2     scenario        bits 1..0   recording override

An attachment group, which is the one pointer that moves when numbers move to another PBX:

    bit 62        always 1
    bits 61..39   check             (23 bits)
    bits 38..23   PBX, 0 = none     (16 bits)
    bits 22..7    second PBX (16 bits) and bits 6..0 its share of new calls in percent
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any, NamedTuple
from zlib import crc32

from number_registry.errors import CacheCorruptError

LAYOUT = 1
# another layout is another prefix, so two releases never read each other's values
PREFIX = f"pg{LAYOUT}:"

# With 512 fields per listpack (hash-max-listpack-entries) this serves eight million numbers; at a
# million a bucket holds 61 fields, which Redis walks in under a microsecond.
BUCKETS = 16384
LISTPACK_ENTRIES = 512

GROUPS_KEY = PREFIX + "g"
DIRECTORY_KEY = PREFIX + "directory"
# A hash. epoch: changes when everything was written anew; run: run_id of the Redis it was written
# to.
META_KEY = PREFIX + "meta"
FEED_KEY = PREFIX + "feed"
PROBE_KEY = PREFIX + "probe"  # written to learn whether Redis takes writes; means nothing

MAX_GROUP = (1 << 20) - 1
MAX_CARRIER = (1 << 10) - 1
MAX_PBX = (1 << 16) - 1

_MASK64 = (1 << 64) - 1
_PRESENT = 1 << 62
_NUMBER_PAYLOAD = (1 << 50) - 1
_GROUP_PAYLOAD = (1 << 39) - 1
# odd constants of well-spread bits; what matters is that nobody writes them by chance
_MIX_KEY = 0x9E3779B97F4A7C15
_MIX_ALL = 0xD6E8FEB86659FD93


class NumberCell(NamedTuple):
    """What is published of a number, by indices.

    A carrier of 0 is no tenancy; a group of 0 is no attachment.
    """

    group: int
    carrier: int
    state: int
    other_carrier: int = 0
    other_state: int = 0
    scenario: int = 0
    recording: int = 0


class GroupCell(NamedTuple):
    """Where an attachment group points: a PBX, and for a shared migration a second one with its
    percentage.
    """

    pbx: int
    other_pbx: int = 0
    percent: int = 0


def pack_number(e164: int, cell: NumberCell) -> int:
    """The published integer of a number.

    Raises ValueError where a field does not fit: our own fault.
    """
    return seal_number(e164, number_payload(cell))


def number_payload(cell: NumberCell) -> int:
    """The low 50 bits, which many numbers have in common. Raises ValueError as pack_number does."""
    group, carrier, state, other_carrier, other_state, scenario, recording = cell
    if (
        group >> 20
        or carrier >> 10
        or state >> 3
        or other_carrier >> 10
        or other_state >> 3
        or scenario >> 2
        or recording >> 2
    ):
        raise ValueError(f"does not fit the published layout: {cell}")
    first = group << 30 | carrier << 20 | state << 17
    return first | other_carrier << 7 | other_state << 4 | scenario << 2 | recording


def seal_number(e164: int, payload: int) -> int:
    """The payload with the check bits that bind it to this number."""
    return _PRESENT | ((e164 * _MIX_KEY ^ payload) * _MIX_ALL & _MASK64) >> 52 << 50 | payload


def number_is_ours(e164: int, packed: int) -> bool:
    """Whether these bits were written by pack_number for this very number."""
    payload = packed & _NUMBER_PAYLOAD
    check = ((e164 * _MIX_KEY ^ payload) * _MIX_ALL & _MASK64) >> 52
    return packed >> 50 == 1 << 12 | check


def group_of(packed: int) -> int:
    """The attachment group alone."""
    return packed >> 30 & 0xFFFFF


def payload_of(packed: int) -> int:
    """All fields without the check: the same for every number with the same fields."""
    return packed & _NUMBER_PAYLOAD


def unpack_number(packed: int) -> NumberCell:
    """The fields of a value that number_is_ours has accepted."""
    return NumberCell(
        packed >> 30 & 0xFFFFF,
        packed >> 20 & 0x3FF,
        packed >> 17 & 7,
        packed >> 7 & 0x3FF,
        packed >> 4 & 7,
        packed >> 2 & 3,
        packed & 3,
    )


def pack_group(group: int, cell: GroupCell) -> int:
    """The published integer of a group. Raises ValueError where a field does not fit."""
    pbx, other_pbx, percent = cell
    if pbx >> 16 or other_pbx >> 16 or not 0 <= percent <= 100:
        raise ValueError(f"does not fit the published layout: {cell}")
    payload = pbx << 23 | other_pbx << 7 | percent
    check = ((group * _MIX_KEY ^ payload) * _MIX_ALL & _MASK64) >> 41
    return _PRESENT | check << 39 | payload


def group_is_ours(group: int, packed: int) -> bool:
    """Whether these bits were written by pack_group for this very group."""
    payload = packed & _GROUP_PAYLOAD
    check = ((group * _MIX_KEY ^ payload) * _MIX_ALL & _MASK64) >> 41
    return packed >> 39 == 1 << 23 | check


def unpack_group(packed: int) -> GroupCell:
    """The fields of a value that group_is_ours has accepted."""
    return GroupCell(packed >> 23 & 0xFFFF, packed >> 7 & 0xFFFF, packed & 0x7F)


def bucket(e164: int) -> int:
    """Which of the BUCKETS hashes holds this number."""
    return crc32(b"%d" % e164) % BUCKETS


def bucket_key(index: int) -> str:
    """Redis key of one bucket: ``pg1:n:815``."""
    return f"{PREFIX}n:{index}"


def number_place(e164: int) -> tuple[str, str]:
    """(key, field) to ask Redis for a number: ``HGET key field``."""
    return bucket_key(bucket(e164)), str(e164)


def number_from_redis(e164: int, value: bytes | None) -> int:
    """The packed number in a reply of Redis, 0 for nil.

    Raises CacheCorruptError for bytes that are not ours.
    """
    packed = integer(value)
    if packed and not number_is_ours(e164, packed):
        raise CacheCorruptError(f"number {e164}: foreign value in Redis")
    return packed


def numbers_from_hash(
    fields: dict[bytes, bytes],
) -> tuple[list[tuple[int, int]], list[bytes]]:
    """(number, packed value) of a whole bucket, and the fields whose values are not ours.

    Never raises.
    """
    good, bad = [], []
    for field, value in fields.items():
        try:
            e164, packed = int(field), int(value)
        except ValueError:
            bad.append(field)
            continue
        payload = packed & _NUMBER_PAYLOAD
        check = ((e164 * _MIX_KEY ^ payload) * _MIX_ALL & _MASK64) >> 52  # as number_is_ours
        if packed >> 50 == 1 << 12 | check:
            good.append((e164, packed))
        else:
            bad.append(field)
    return good, bad


def group_from_redis(group: int, value: bytes | None) -> int:
    """The packed group in a reply of Redis, 0 for nil.

    Raises CacheCorruptError for bytes that are not ours.
    """
    packed = integer(value)
    if packed and not group_is_ours(group, packed):
        raise CacheCorruptError(f"group {group}: foreign value in Redis")
    return packed


def integer(value: bytes | None) -> int:
    """A published integer in a reply of Redis, 0 for nil. Raises CacheCorruptError."""
    if value is None:
        return 0
    if not value.isdigit() or len(value) > 19:  # bytes.isdigit is ASCII only
        raise CacheCorruptError(f"{value[:24]!r} is not a published integer")
    return int(value)


class Directory(NamedTuple):
    """The published directory: its generation (a digest of the content, never 0) and the decoded
    JSON.

    ``content``: ``{"version": 1, "carriers": [name by index], "pbxs": [{"name", "state",
    "addresses": [{"uri", "priority"}], "profile": {"sources": [], and what pbx_profile.Profile.raw
    gives}, "account": {"user", "realm", "md5", "sha256"} where it has one}} or null by index],
    "people": {extension: {"person", "role", "shown", "site", "pbx"}}, "roles": {name: {}},
    "sites": {name: {"city", "carrier", "callback"}}, "emergency": [digits]}``. Index 0 means none,
    so it is null in both lists; numbers are digits without plus.
    """

    generation: int
    content: dict[str, Any]


def directory_bytes(content: dict[str, Any]) -> tuple[int, bytes]:
    """(generation, bytes): one line with the layout and the generation, then JSON in ASCII.

    The generation is the digest of the JSON: the same content gives the same bytes, so publishing
    it again changes nothing, and a reader only has to compare for equality.
    """
    body = json.dumps(content, separators=(",", ":"), sort_keys=True).encode("ascii")
    generation = _digest(body)
    return generation, b"portgate-directory %d %d\n" % (LAYOUT, generation) + body


def read_directory(blob: bytes) -> Directory:
    """The directory in these bytes.

    Raises CacheCorruptError when they are cut, changed, or of another layout.
    """
    head, _, body = blob.partition(b"\n")
    generation = _digest(body)
    if head != b"portgate-directory %d %d" % (LAYOUT, generation):
        raise CacheCorruptError(
            f"directory: {head[:60]!r} does not belong to its {len(body)} bytes"
        )
    content = json.loads(body)
    if not isinstance(content, dict) or content.get("version") != LAYOUT:
        raise CacheCorruptError("directory: not of this layout")
    return Directory(generation, content)


def _digest(body: bytes) -> int:
    return int.from_bytes(blake2b(body, digest_size=7, person=b"pg-directory").digest(), "big") | 1
