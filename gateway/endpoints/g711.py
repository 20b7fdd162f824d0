"""G.711 A-law and mu-law between 16-bit samples and bytes; pure tables, no other codec."""

from __future__ import annotations

from collections.abc import Sequence

PCMU, PCMA = 0, 8  # static RTP payload types, RFC 3551 table 4


def _decode_mu(byte: int) -> int:
    byte = ~byte & 0xFF
    size = (((byte & 0x0F) << 3) + 0x84) << ((byte & 0x70) >> 4)
    return 0x84 - size if byte & 0x80 else size - 0x84


def _decode_a(byte: int) -> int:
    byte ^= 0x55
    size = (byte & 0x0F) << 4
    segment = (byte & 0x70) >> 4
    size = size + 8 if segment == 0 else (size + 0x108) << (segment - 1)
    return size if byte & 0x80 else -size


_SAMPLES = {
    PCMU: [_decode_mu(byte) for byte in range(256)],
    PCMA: [_decode_a(byte) for byte in range(256)],
}


def decode(payload_type: int, payload: bytes) -> list[int]:
    """Samples at 8 kHz. KeyError when the payload type is not G.711."""
    table = _SAMPLES[payload_type]
    return [table[byte] for byte in payload]


def encode(payload_type: int, samples: Sequence[int]) -> bytes:
    """The nearest code for each sample: exact, and fast enough for tones that are made once."""
    table = _SAMPLES[payload_type]
    nearest: dict[int, int] = {}
    for sample in samples:
        if sample not in nearest:
            nearest[sample] = min(range(256), key=lambda code: abs(table[code] - sample))
    return bytes(nearest[sample] for sample in samples)
