#!/usr/bin/env python3
"""The vectors of tests/unit/{names,policy,keys,bucket}, from FORMAT.md alone: an implementation of its own,
with Python's BLAKE2b and XChaCha20-Poly1305 as the drafts have it.  Prints one `name value` a line."""
import struct
from base64 import urlsafe_b64encode
from hashlib import blake2b


def rotate(v, n):
    return (v << n | v >> (32 - n)) & 0xffffffff


def quarter(s, a, b, c, d):
    s[a] = (s[a] + s[b]) & 0xffffffff; s[d] = rotate(s[d] ^ s[a], 16)
    s[c] = (s[c] + s[d]) & 0xffffffff; s[b] = rotate(s[b] ^ s[c], 12)
    s[a] = (s[a] + s[b]) & 0xffffffff; s[d] = rotate(s[d] ^ s[a], 8)
    s[c] = (s[c] + s[d]) & 0xffffffff; s[b] = rotate(s[b] ^ s[c], 7)


def rounds(state):
    s = list(state)
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(s, a, b, c, d)
    return s


CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")


def hchacha20(key, nonce):
    s = rounds(CONSTANTS + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))
    return struct.pack("<8I", *(s[0:4] + s[12:16]))


def xchacha20(key, nonce, data, counter):
    subkey, out = hchacha20(key, nonce[:16]), bytearray()
    for at in range(0, len(data), 64):
        state = CONSTANTS + struct.unpack("<8I", subkey) + (counter + at // 64, 0) + struct.unpack("<2I", nonce[16:])
        block = struct.pack("<16I", *((a + b) & 0xffffffff for a, b in zip(state, rounds(state))))
        out += bytes(a ^ b for a, b in zip(data[at:at + 64], block))
    return bytes(out)


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    sum_ = 0
    for at in range(0, len(data), 16):
        sum_ = (sum_ + int.from_bytes(data[at:at + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((sum_ + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def pad16(data):
    return data + bytes(-len(data) % 16)


def seal(key, nonce, ad, plain):
    """XChaCha20-Poly1305: ciphertext, tag."""
    cipher = xchacha20(key, nonce, plain, 1)
    tag = poly1305(xchacha20(key, nonce, bytes(32), 0), pad16(ad) + pad16(cipher) + struct.pack("<QQ", len(ad), len(cipher)))
    return cipher, tag


def mac(key, data, length):
    return blake2b(data, key=key, digest_size=length).digest()


def kdf(key, label, suite=0, epoch=0, number=0, a=bytes(16), b=bytes(16)):
    return mac(key, label.encode().ljust(16, b"\0") + struct.pack("<BIQ", suite, epoch, number) + a + b, 32)


def text(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


NAMES_KEY = bytes(range(32))
BUCKET = bytes(range(0x40, 0x50))
DIRECTORY = bytes(range(0x60, 0x70))
FILE_KEY = bytes(range(0x80, 0xa0))
NONCE = bytes(range(0xc0, 0xd8))
LINK = bytes(range(0xe0, 0xf0))


def name(plain):
    padded = pad16(plain)
    siv = mac(kdf(NAMES_KEY, "name-siv", b=DIRECTORY), struct.pack("<H", len(plain)) + padded, 24)
    return text(siv + xchacha20(kdf(NAMES_KEY, "name", b=DIRECTORY), siv, padded, 0))


def long_name(plain):
    return text(mac(kdf(NAMES_KEY, "long-name", b=DIRECTORY), name(plain).encode(), 32))


def directory_header():
    return text(DIRECTORY + mac(kdf(NAMES_KEY, "directory", a=BUCKET), DIRECTORY, 16))


def symlink(target):
    cipher, tag = seal(kdf(NAMES_KEY, "symlink", b=LINK), NONCE, BUCKET + LINK, target)
    return LINK + NONCE + tag + cipher


def xattr_lower(plain, node):
    prefix = plain.split(b".")[0].decode() + ".rekeyfs."
    return prefix + text(mac(kdf(NAMES_KEY, "xattr-name", b=node), plain, 24))


def xattr(plain, value, key, epoch, node):
    clear = struct.pack("<BI", 1, epoch)
    ad = BUCKET + node + struct.pack("<I", epoch) + xattr_lower(plain, node).encode()
    cipher, tag = seal(kdf(key, "xattr", epoch=epoch, a=BUCKET, b=node), NONCE, ad, bytes([len(plain)]) + plain + value)
    return clear + NONCE + tag + cipher


def policies(generation, root, rows):
    body = root + struct.pack("<I", len(rows))
    for directory, on_rename, enforce, after, key in sorted(rows):
        body += directory + struct.pack("<BBBH", on_rename, enforce, after, len(key)) + key
    body += bytes(-len(body) % 4096)
    clear = b"rekeypol" + struct.pack("<HHQ", 1, 0, generation)
    cipher, tag = seal(kdf(NAMES_KEY, "policy", a=BUCKET), NONCE, BUCKET + clear, body)
    return clear + NONCE + tag + cipher


KEY_ID = bytes(range(0x10, 0x20))
MATERIAL = bytes(range(0x20, 0x40))
BUCKET_KEY = bytes(range(0x70, 0x90))
BLOB = bytes(range(40))


def slot(purpose, node, suite, epoch, key):
    ad = bytes([purpose]) + BUCKET + node + struct.pack("<IB", epoch, suite) + KEY_ID + MATERIAL
    cipher, tag = seal(BUCKET_KEY, NONCE, ad, key)
    return KEY_ID + MATERIAL + struct.pack("<BBIH", suite, 0, epoch, len(BLOB)) + NONCE + cipher + tag + kdf(key, "commit") + BLOB


def root_hint(key):
    return mac(BUCKET.ljust(32, b"\0"), key, 16)


def state():
    page = b"rekeysta" + struct.pack("<HHQ", 1, 1, 7) + BUCKET + bytes(range(0x50, 0x60))
    page += struct.pack("<QQQQqQ", 0x1122334455667788, 2, 41, 42, 1700000000, 5) + root_hint(b"alias/rekeyfs")
    page += struct.pack("<H", 2) + struct.pack("<QQqq", 3, 5, 100, 110) + struct.pack("<QQqq", 20, 23, 1600000000, 1600000009)
    page += slot(2, BUCKET, 2, 3, NAMES_KEY)
    page = page.ljust(4064, b"\0")
    return page + mac(kdf(NAMES_KEY, "state"), page, 32)


def digest(data):
    """For what is too long to print."""
    return blake2b(data, digest_size=32).hexdigest()


def main():
    every = bytes(c for c in range(1, 256) if c != ord("/"))
    print("name_a", name(b"a"))
    print("name_16", name(b"0123456789abcdef"))
    print("name_17", name(b"0123456789abcdefg"))
    print("name_160", name(b"x" * 160))
    print("name_161", long_name(b"x" * 161))
    print("name_161_text", name(b"x" * 161))
    print("name_255", long_name(b"y" * 255))
    print("name_255_text", name(b"y" * 255))
    print("name_every_byte", long_name(every))
    print("name_every_byte_text", name(every))
    print("directory", directory_header())
    print("symlink", text(symlink(b"../target")))
    print("symlink_file_digest", digest(b"rekeysym" + symlink(b"t" * 3016)))
    print("xattr_lower", xattr_lower(b"user.comment", LINK))
    print("xattr_file", xattr(b"user.comment", b"hello", FILE_KEY, 9, LINK).hex())
    print("xattr_trusted_lower", xattr_lower(b"trusted.x", bytes(16)))
    print("xattr_trusted", xattr(b"trusted.x", b"", NAMES_KEY, 0, bytes(16)).hex())
    rows = [(DIRECTORY, 0, 0, 0, b"alias/rekeyfs"), (LINK, 1, 2, 1, b"7e8dbb1c-3c1e-4f0a-9d5b-0a1b2c3d4e5f")]
    table = policies(6, DIRECTORY, rows)
    print("policy_head", table[:20 + 40 + 32].hex())
    print("policy_digest", digest(table))
    print("slot_file", slot(1, LINK, 1, 1, FILE_KEY).hex())
    print("slot_names", slot(2, BUCKET, 2, 3, NAMES_KEY).hex())
    print("state_head", state()[:264].hex())
    print("state_mac", state()[-32:].hex())
    print("state_digest", digest(state()))
    print("root_hint", root_hint(b"alias/rekeyfs").hex())


if __name__ == "__main__":
    # draft-irtf-cfrg-xchacha A.3.1's tag: this implementation is not wrong in the same way as ours
    ad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    plain = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.")
    assert seal(bytes(range(0x80, 0xa0)), bytes(range(0x40, 0x58)), ad, plain)[1].hex() == "c0875924c1c7987947deafd8780acf49"
    main()
