"""Small files, read and written at once, and what /proc says of a process."""


def read(path):
    with open(path, errors='replace') as f:
        return f.read()


def read_bytes(path):
    with open(path, 'rb') as f:
        return f.read()


def write(path, content):
    with open(path, 'wb') as f:
        f.write(content if isinstance(content, (bytes, bytearray)) else content.encode())


def status_of(pid):
    """{field: value} of the process's status."""
    pairs = (line.split(':', 1) for line in read(f'/proc/{pid}/status').splitlines())
    return {name: value.strip() for name, value in pairs}


def id_map_of(pid, kind='uid'):
    """(inside, outside, count): the one line of its map."""
    return tuple(map(int, read(f'/proc/{pid}/{kind}_map').split()))


def as_user(uid):
    """The command that executes what follows it as that user, without groups."""
    return ['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups']
