"""Seals what a live call needs into a token that travels in its own messages, so that a restart
forgets nothing.

AES-256-GCM (NIST SP 800-38D) through the system's libcrypto: 3.5 us a token, against 21 us through
python3-cryptography and 120 us a call measured for its use here. It must never accept what it did
not seal itself.
"""

from __future__ import annotations

import binascii
import ctypes
import os
from base64 import urlsafe_b64decode
from hashlib import blake2b
from typing import Any, NamedTuple
from zlib import crc32

from kemi.pace import Pace

KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
VERSION = 1
LONGEST_TEXT = 256  # `open_text` looks at nothing longer
RECENT = 4096  # tokens kept opened, twice, about 1 KiB each
_GET_TAG, _SET_TAG = 0x10, 0x11  # EVP_CTRL_AEAD_GET_TAG, EVP_CTRL_AEAD_SET_TAG (openssl/evp.h)
_HEAD = 1 + 1 + 4 + 16  # version, five bits, crc of the tag, call id
_PACED = 16
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Sealed(NamedTuple):
    """What a token says. ``a`` is the caller's side, ``b`` the called side; each URI as that side
    knows it.

    A pair of URIs is empty where both sides know the same one.

    ``offered``: the INVITE carried an SDP offer, so a PRACK's SDP is a new offer and no answer.
    ``call``: our call id, 32 hex digits. ``tag_crc``: crc32 of the caller's From tag, which tells
    the direction. ``nameless``: the called side was not told the caller's display name. ``urgent``:
    an emergency call, which goes on without a media relay. ``guests``: addresses, with commas, of
    sides that are no known neighbours but have proved that the call is theirs. ``counted``: it
    holds a channel of a trunk that has limits. ``media``: the codes (kemi/media.py) of side b and
    side a with a stroke between, or empty. ``pace``: where a side asks for credentials.
    """

    call: str
    tag_crc: int
    offered: bool
    from_a: str
    to_a: str
    from_b: str
    to_b: str
    nameless: bool = False
    urgent: bool = False
    guests: str = ""
    counted: bool = False
    media: str = ""
    pace: Pace | None = None


class Sealer:
    """One per process: the cipher contexts are not shared between processes or threads."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the token key has {len(key)} bytes, {KEY_BYTES} are expected")
        lib = ctypes.CDLL("libcrypto.so.3")
        lib.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
        lib.EVP_aes_256_gcm.restype = ctypes.c_void_p
        self._lib: Any = lib
        cipher = ctypes.c_void_p(lib.EVP_aes_256_gcm())
        self._seal = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new())
        self._open = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new())
        if lib.EVP_EncryptInit_ex(self._seal, cipher, None, key, None) != 1:
            raise OSError("libcrypto refused the token key")
        if lib.EVP_DecryptInit_ex(self._open, cipher, None, key, None) != 1:
            raise OSError("libcrypto refused the token key")
        self._out: Any = ctypes.create_string_buffer(8192)
        self._tag = ctypes.create_string_buffer(TAG_BYTES)
        self._length = ctypes.c_int()
        self._length_ref = ctypes.byref(self._length)
        # Of its own, so that no name that we make ever is the outcome of a key that seals.
        self.naming_key = blake2b(b"names", key=key, digest_size=32).digest()
        self._recent: dict[str, tuple[str, Sealed]] = {}
        self._older: dict[str, tuple[str, Sealed]] = {}

    def encrypt(self, plain: bytes, bound: bytes) -> bytes:
        """nonce + ciphertext + tag; ``bound`` is authenticated and not carried. At most 8 KiB."""
        lib, context, nonce = self._lib, self._seal, os.urandom(NONCE_BYTES)
        if len(plain) > len(self._out):
            raise ValueError("too long to seal")
        lib.EVP_EncryptInit_ex(context, None, None, None, nonce)
        lib.EVP_EncryptUpdate(context, None, self._length_ref, bound, len(bound))
        lib.EVP_EncryptUpdate(context, self._out, self._length_ref, plain, len(plain))
        lib.EVP_EncryptFinal_ex(context, self._tag, self._length_ref)
        if lib.EVP_CIPHER_CTX_ctrl(context, _GET_TAG, TAG_BYTES, self._tag) != 1:
            raise OSError("libcrypto gave no tag")
        sealed: bytes = self._out[: len(plain)]
        return nonce + sealed + self._tag.raw

    def decrypt(self, box: bytes, bound: bytes) -> bytes | None:
        """The plain bytes, or None when the box was not sealed here for this ``bound``."""
        lib, context = self._lib, self._open
        body = box[NONCE_BYTES:-TAG_BYTES]
        if not body or len(body) > len(self._out):
            return None
        lib.EVP_DecryptInit_ex(context, None, None, None, box[:NONCE_BYTES])
        lib.EVP_DecryptUpdate(context, None, self._length_ref, bound, len(bound))
        lib.EVP_DecryptUpdate(context, self._out, self._length_ref, body, len(body))
        lib.EVP_CIPHER_CTX_ctrl(context, _SET_TAG, TAG_BYTES, box[-TAG_BYTES:])
        if lib.EVP_DecryptFinal_ex(context, self._tag, self._length_ref) != 1:
            return None
        plain: bytes = self._out[: len(body)]
        return plain

    def seal_text(self, plain: bytes) -> str:
        """A few bytes, sealed, as characters that a header may hold. Bound to nothing, as no token
        of a call is: one never passes for the other. Each call to a PBX needs one, so it stands
        here in full.
        """
        lib, context, nonce = self._lib, self._seal, os.urandom(NONCE_BYTES)
        lib.EVP_EncryptInit_ex(context, None, None, None, nonce)
        lib.EVP_EncryptUpdate(context, self._out, self._length_ref, plain, len(plain))
        lib.EVP_EncryptFinal_ex(context, self._tag, self._length_ref)
        if lib.EVP_CIPHER_CTX_ctrl(context, _GET_TAG, TAG_BYTES, self._tag) != 1:
            raise OSError("libcrypto gave no tag")
        box = nonce + self._out[: len(plain)] + self._tag.raw
        return binascii.b2a_base64(box, newline=False).translate(_URL_SAFE).rstrip(b"=").decode()

    def open_text(self, text: str) -> bytes | None:
        """The inverse of `seal_text`; None for what was not sealed here."""
        if len(text) > LONGEST_TEXT or not text.isascii():
            return None
        try:
            box = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return None
        return self.decrypt(box, b"")

    def token(self, sealed: Sealed, sip_call_id: str) -> str:
        """The token as URI parameter characters, bound to the SIP Call-ID, so it serves in no other
        dialog.
        """
        token = self._seal_token(sealed, sip_call_id)
        self._remember(token, sip_call_id, sealed)
        return token

    def _remember(self, token: str, sip_call_id: str, sealed: Sealed) -> None:
        """The ACK follows at once, often in the same worker: what was just sealed or opened is kept
        for a while.
        """
        if len(self._recent) >= RECENT:
            self._recent, self._older = {}, self._recent
        self._recent[token] = (sip_call_id, sealed)

    def _seal_token(self, sealed: Sealed, sip_call_id: str) -> str:
        call, crc, offered, from_a, to_a, from_b, to_b, nameless, urgent = sealed[:9]
        guests, counted, media, pace = sealed[9:]
        bits = offered | nameless << 1 | urgent << 2 | counted << 3
        if pace is not None:
            bits |= _PACED
        head = b"%c%c%b%b" % (VERSION, bits, crc.to_bytes(4, "big"), bytes.fromhex(call))
        if pace is not None:
            head += paced(pace)
        uris = f"{from_a}\0{to_a}\0{from_b}\0{to_b}" if from_b or to_b else ""
        if guests or media:
            uris = f"{from_a}\0{to_a}\0{from_b}\0{to_b}\0{guests}\0{media}"
        box = self.encrypt(head + uris.encode(), sip_call_id.encode())
        text = binascii.b2a_base64(box, newline=False).translate(_URL_SAFE)
        return text.rstrip(b"=").decode()

    def read(self, token: str, sip_call_id: str) -> Sealed | None:
        """What the token says, or None when it is foreign, changed, or of another call."""
        known = self._recent.get(token) or self._older.get(token)
        if known is not None:
            return known[1] if known[0] == sip_call_id else None
        try:
            box = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return None
        plain = self.decrypt(box, sip_call_id.encode())
        if plain is None or plain[0] != VERSION:
            return None
        crc, bits, rest, pace = int.from_bytes(plain[2:6], "big"), plain[1], plain[_HEAD:], None
        if bits & _PACED:
            pace, rest = read_pace(rest)
        uris = rest.decode().split("\0") if rest else ("", "", "", "")
        offered, nameless, urgent, counted = [bool(bits & 1 << place) for place in range(4)]
        from_a, to_a, from_b, to_b, *more = uris
        ends, (guests, media) = (from_a, to_a, from_b, to_b), more or ("", "")
        call = plain[6:_HEAD].hex()
        sealed = Sealed(call, crc, offered, *ends, nameless, urgent, guests, counted, media, pace)
        self._remember(token, sip_call_id, sealed)
        return sealed


def paced(pace: Pace) -> bytes:
    """As bytes that `read_pace` reads."""
    towards, carrier, trunk, first, tries = pace
    head = b"%c%b" % ((towards == "b") << 7 | tries, (first + 1).to_bytes(5, "big"))
    return head + f"{carrier}/{trunk}\0".encode()


def read_pace(rest: bytes) -> tuple[Pace, bytes]:
    """The pace, and what comes after it."""
    names, _, after = rest[6:].partition(b"\0")
    carrier, _, trunk = names.decode().partition("/")
    first, tries = int.from_bytes(rest[1:6], "big") - 1, rest[0] & 0x7F
    return Pace("b" if rest[0] & 0x80 else "a", carrier, trunk, first, tries), after


def tag_crc(tag: str) -> int:
    """How a token remembers the caller's tag."""
    return crc32(tag.encode())
