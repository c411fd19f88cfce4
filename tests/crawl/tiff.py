"""BigTIFF headers with sizes of 64 bits."""

import struct


def big_tiff_header(width: int) -> bytes:
    """The header of a BigTIFF file of `width` x 1 pixels."""
    entries = [(256, 16, 1, width), (257, 16, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 16, 1, 300), (277, 3, 1, 1), (278, 3, 1, 1), (279, 16, 1, 1)]
    packed = b"".join(struct.pack("<HHQQ", *entry) for entry in entries)
    return struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, len(entries)) + packed + bytes(200)
