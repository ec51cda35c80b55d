"""session.md, section 11: how long a record's plaintext becomes."""

SMALL = (64, 128, 256, 512, 1024)


def bucket(length):
    """The next allowed size, `length` >= 1."""
    for size in SMALL:
        if length <= size:
            return size
    exponent = length.bit_length() - 1
    low = exponent - exponent.bit_length()
    return -(-length >> low) << low


def size(mode, length, most, constant=None):
    """`most`: what the peer's max_record leaves for plaintext."""
    if mode == "constant":
        assert length <= constant
        return constant
    return length if mode == "off" else max(length, min(bucket(length), most))
