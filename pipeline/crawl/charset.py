"""The text of a page: which encoding its bytes are in, found in one look at them."""

import codecs

from bs4.dammit import EncodingDetector

HEAD = 2048  # bytes in which a page declares its encoding; the HTML standard looks at 1024
SAMPLE = 4096  # bytes from which an encoding is guessed
FALLBACK = "cp1252"  # what browsers take for the West, and for what calls itself ASCII or Latin-1

# The encodings of the web (https://encoding.spec.whatwg.org) by Python's names. Python has others, which a page must
# not choose: some run programs of bytes (unicode_escape), unpack them (zip) or take quadratic time (punycode).
_OF_THE_WEB = {
    codecs.lookup(name).name
    for name in (
        *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic"),
        *("gb2312", "gbk", "gb18030", "big5", "big5hkscs", "euc-jp", "iso2022-jp", "shift-jis", "cp932", "euc-kr"),
        *("cp949", "cp866", "cp874", "tis-620", *(f"cp{number}" for number in range(1250, 1259))),
        *(f"iso8859-{number}" for number in range(2, 17) if number != 12),
    )
}
_WEST = {codecs.lookup(name).name for name in ("ascii", "latin-1")}


def encoding_of(data: bytes) -> str:
    """Python's name of the encoding of the page `data`: of its mark or its declaration, else UTF-8 or a guess."""
    _, marked = EncodingDetector.strip_byte_order_mark(data[:4])
    declared = _known(_declared(data[:HEAD]))
    if declared.startswith("utf-16"):  # a declaration that is read as ASCII is none of UTF-16
        declared = "utf-8"
    return _known(marked) or declared or ("utf-8" if _is_utf8(data) else _guessed(data))


def _declared(head: bytes) -> str:
    """The encoding in `<?xml encoding="...">` or the first `<meta charset=...>` that has one."""
    text = head.lower()
    if text.startswith(b"<?xml"):
        return _value(text.partition(b"?>")[0].partition(b"encoding")[2])
    for part in text.split(b"<meta")[1:]:
        if name := _value(part.partition(b">")[0].partition(b"charset")[2]):
            return name
    return ""


def _value(text: bytes) -> str:
    """`utf-8` of `= "utf-8" ...`."""
    sign, rest = text.lstrip()[:1], text.lstrip()[1:].lstrip().lstrip(b"\"'")
    words = rest.translate(bytes.maketrans(b"\"'/;", b"    ")).split()
    return words[0].decode("latin-1") if sign == b"=" and words else ""


def _known(name: str | None) -> str:
    """Python's name of an encoding of the web; empty for any other."""
    try:
        found = codecs.lookup(name or "").name
    except (LookupError, ValueError):
        return ""
    if found in ("utf-16-le", "utf-16-be", "utf-16"):
        return found
    return FALLBACK if found in _WEST else found if found in _OF_THE_WEB else ""


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _guessed(data: bytes) -> str:
    """The encoding of the first bytes that are not ASCII, as Beautiful Soup guesses it."""
    first = len(data) - len(data.lstrip(bytes(range(128))))
    names = EncodingDetector(data[first : first + SAMPLE]).encodings
    return next((known for name in names if name != "utf-8" and (known := _known(name))), FALLBACK)
