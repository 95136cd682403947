"""Containers' records as the service writes them."""

import hashlib


def body_of(text):
    """What it says, without the line that vouches for it."""
    return text.split('\n', 1)[1]


def sealed(name, body):
    """`name`: the file's."""
    return f'# {hashlib.sha256((name + body).encode()).hexdigest()}\n{body}'
