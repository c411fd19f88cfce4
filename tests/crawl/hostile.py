"""Responders of a hostile server, each with the outcome and the reason that its picture must have."""

import gzip
import struct
import time
import zlib

MOST = 2_000_000  # bytes of a body that are accepted


def stall(handler):
    """Accept the request and send nothing."""
    time.sleep(30)


def not_http(handler):
    """Send bytes that are not HTTP."""
    handler.wfile.write(b"\0" * 100)
    handler.close_connection = True


def cut_short_once(responders, data):
    """Send half a body, and the whole one the next time."""

    def send_half(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.close_connection = True

    return responders.one_after_another(send_half, responders.body(data))


def pixel_bomb():
    """A small PNG file whose header claims 60,000 x 60,000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100_000)))


def gzip_bomb():
    """Some kilobytes that decompress to 100 MB."""
    return gzip.compress(bytes(100_000_000), 1)


def hostile_responders(responders):
    """Each hostile responder by name, with the outcome and reason that it must have."""
    png, body, one_after_another = responders.png, responders.body, responders.one_after_another
    bomb = gzip_bomb()
    return {
        "drip": (responders.drip, ("failed", "timeout")),
        "stall": (stall, ("failed", "timeout")),
        "forbidden": (body(b"", status=403), ("failed", "HTTP 403")),
        "missing": (body(b"", status=404), ("failed", "HTTP 404")),
        "busy": (one_after_another(body(b"", status=429, Retry_After="1"), body(png(9001))), ("saved", "")),
        "broken": (one_after_another(body(b"", status=500), body(png(9002))), ("saved", "")),
        "down": (body(b"", status=500), ("failed", "HTTP 500")),
        "cut once": (cut_short_once(responders, png(9003)), ("saved", "")),
        "cut always": (responders.cut_short, ("failed", "body cut short")),
        "wrong type": (body(png(9004), "text/html"), ("saved", "")),
        "html": (body("<html>no</html>", "image/png"), ("rejected", "not an image: html")),
        "endless": (responders.endless, ("rejected", "too large")),
        "long": (body(bytes(MOST + 1)), ("rejected", "too large")),
        "bomb": (body(bomb, Content_Encoding="gzip"), ("rejected", "too large")),
        "bombs": (body(gzip.compress(bomb, 1), Content_Encoding="gzip, gzip"), ("rejected", "too large")),
        "no gzip": (body(b"plain", Content_Encoding="gzip"), ("failed", "body not decodable")),
        "pixels": (body(pixel_bomb()), ("rejected", "too many pixels")),
        "loop": (None, ("failed", "too many redirects")),
        "inward": (responders.redirect("http://169.254.169.254/latest/meta-data"), ("rejected", "private address")),
        "inward by name": (responders.redirect("http://localhost:1/x.png"), ("rejected", "private address")),
        "file": (responders.redirect("file:///etc/passwd"), ("rejected", "not http(s)")),
        "noai": (body(png(9005), X_Robots_Tag="noai"), ("rejected", "X-Robots-Tag: noai")),
        "no HTTP": (not_http, ("failed", "connection broken")),
    }
