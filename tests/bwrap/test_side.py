"""Lines for bubblewrap: the same output and the same exit status from bubblewrap and from naive-bwrap."""

from side_case import SideCase

# name: script, and the status that both must have. $S: a tree, no network; $W: with the directory, too.
LINES = {
    'true': ('$S true', 0),
    'false': ('$S false', 1),
    'status': ('$S sh -c "exit 37"', 37),
    'sigterm': ('$S sh -c "kill -TERM \\$\\$; sleep 5"', 143),
    'sigkill': ('$S sh -c "kill -KILL \\$\\$; sleep 5"', 137),
    'segv': ('$S sh -c "kill -SEGV \\$\\$; sleep 5"', 139),
    'not-found': ('$S no-such-command', 1),
    'not-executable': ('$S /usr/share', 1),
    'no-command': ('$B --unshare-all', 1),
    'unknown-option': ('$B --no-such-option true', 1),
    'missing-argument': ('$B --bind /usr', 1),
    'separator': ('$S -- printf "%s|" a "b c" ""', 0),
    'stdin': ('echo words | $S cat', 0),
    'stdout-closed': ('$S seq 100000 | head -n 1', 0),
    'stderr': ('$S sh -c "echo e >&2; echo o" 2>&1 | sort', 0),
    'much': ('head -c 3000000 /dev/zero | $S wc -c', 0),
    'fd': ('echo words >f; $S cat /proc/self/fd/7 7<f; $S sh -c "cat <&7" 7<f', 0),
    'fd-out': ('$S sh -c "echo words >&8" 8>f; cat f', 0),
    'ids': ('$S id -u; $S id -g', 0),
    'root-inside': ('$S --uid 0 --gid 0 sh -c "id -u; id -g"', 0),
    'other-ids': ('$S --uid 1234 --gid 4321 sh -c "id -u; id -g"', 0),
    'capabilities': ('$S grep -E "Cap(Eff|Prm|Bnd|Amb)|NoNewPrivs" /proc/self/status', 0),
    'pwd': ('$W pwd', 0),
    'pwd-home': ('$S --dir "$HOME" pwd', 0),
    'pwd-none': ('$S sh -c pwd', 0),
    'chdir': ('$S --chdir /usr/bin sh -c "pwd; echo \\$PWD"', 0),
    'chdir-missing': ('$S --chdir /no/such pwd', 1),
    'environment': ('X=1 $S env | grep -vE "^(_|PATH)=" | sort', 0),
    'setenv': ('$S --setenv A "b c" --unsetenv USER --unsetenv HOME env | grep -vE "^(_|PATH)=" | sort', 0),
    'clearenv': ('$S --clearenv --setenv A b /usr/bin/env | sort', 0),
    'clearenv-path': ('$S --clearenv sh -c "echo found"', 0),
    'umask': ('umask 027; $S sh -c "umask; touch /tmp/f; stat -c %a /tmp/f"', 0),
    'root': ('$S ls -1 /; $S stat -c "%a %F %u" / /usr /bin /tmp /proc; $S stat -c %a /dev', 0),
    'dev': ('$S stat -L -c "%a %F %t %T" /dev/null /dev/zero /dev/full /dev/random /dev/urandom; $S readlink /dev/stdout', 0),
    'dev-use': ('$S sh -c "echo lost >/dev/null; head -c 4 /dev/zero | od -An -tx1; echo x >/dev/full" 2>/dev/null', 1),
    'shm': ('$S sh -c "echo s >/dev/shm/x; cat /dev/shm/x"', 0),
    'proc': ('$S sh -c "cat /proc/\\$\\$/comm; echo \\$\\$"', 0),
    'pid-1': ('$S --as-pid-1 sh -c "echo \\$\\$"', 0),
    'reaped': ('$S sh -c "(true &) ; sleep .3; ps -e -o stat= | grep -c Z"', 1),
    'write-root': ('$S sh -c "touch /new && ls /new"', 0),
    'write-usr': ('$S touch /usr/new 2>/dev/null', 1),
    'write-tmp': ('$S sh -c "touch /tmp/new && ls /tmp"', 0),
    'write-here': ('$W touch new && stat -c "%U %a" new', 0),
    'read-only-here': ('echo a >f; $S --ro-bind "$D" /d sh -c "cat /d/f; echo b >/d/f" 2>/dev/null; cat f', 0),
    'try': ('$S --ro-bind-try /no/such /x --bind-try /no/such /y ls -1 /', 0),
    'missing-source': ('$S --ro-bind /no/such /x true', 1),
    'relative-source': ('mkdir d; echo a >d/f; $S --bind d /d cat /d/f', 0),
    'relative-target': ('$B --ro-bind /usr usr --symlink usr/lib lib --symlink usr/lib64 lib64 --unshare-all /usr/bin/ls -1 /', 0),
    'bind-file': ('echo a >f; $S --ro-bind f /etc/f cat /etc/f', 0),
    'hide': ('mkdir -p h/.ssh; echo k >h/.ssh/key; $S --bind h /h --tmpfs /h/.ssh ls -A /h/.ssh', 0),
    'below-tmpfs': ('mkdir a b; echo x >b/f; $S --tmpfs /t --bind b /t/b/c cat /t/b/c/f', 0),
    'bound-target': ('mkdir d; $S --bind d /d --tmpfs /d/t --dir /d/e/g --ro-bind /usr/bin/env /d/f sh -c "ls -1 /d; test -s /d/f"; '
                     'ls -1 d d/e; wc -c <d/f', 0),
    'bound-target-read-only': ('mkdir d; $S --ro-bind d /d --tmpfs /d/t true', 1),
    'bind-fd': ('mkdir d; echo x >d/f; exec 9<d; $S --ro-bind-fd 9 /d cat /d/f', 0),
    'dir': ('$S --dir /a/b/c --perms 0700 --dir /e/f stat -c "%a %n" /a /a/b /a/b/c /e /e/f', 0),
    'tmpfs': ('$S --perms 1777 --size 1048576 --tmpfs /t sh -c "stat -c %a /t; df --output=size /t | tail -n 1"', 0),
    'file': ('$S --file 9 /a/f --perms 0600 --file 8 /g sh -c "cat /a/f /g; stat -c %a /a/f /g" 9<<<one 8<<<two', 0),
    'data': ('$S --bind-data 9 /f --ro-bind-data 8 /g sh -c "cat /f /g; stat -c %a /f /g; echo x >>/f; cat /f" 9<<<one 8<<<two', 0),
    'read-only-data': ('$S --ro-bind-data 9 /g sh -c "echo x >/g" 9<<<one 2>/dev/null', 2),
    'link': ('$S --symlink /usr/share /s --symlink ../x /a/b sh -c "readlink /s /a/b; ls -d /s/doc"', 0),
    'link-taken': ('$S --symlink other /bin true', 1),
    'remount': ('mkdir d; $S --bind d /d --remount-ro /d --remount-ro /tmp sh -c "touch /d/f; touch /tmp/f" 2>/dev/null', 1),
    'remount-root': ('$S --remount-ro / sh -c "touch /x 2>/dev/null; touch /tmp/x && echo ok"', 0),
    'chmod': ('$S --dir /d --chmod 0511 /d stat -c %a /d', 0),
    'whole-root': ('$B --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --unshare-all sh -c "ls -d /usr/bin; ls /tmp; touch /etc/x" 2>/dev/null', 1),
    'hostname': ('$S hostname; $S --hostname other hostname', 0),
    'hostname-alone': ('$B --ro-bind / / --hostname other hostname', 1),
    'network': ('$S sh -c "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d \\" \\""', 0),
    'args': ('printf "%s\\0" --setenv A b --dir /q >f; $S --args 9 sh -c "echo \\$A; ls -d /q" 9<f', 0),
    'status-fd': ('$S --json-status-fd 9 sh -c "exit 5" 9>f; grep -o "exit-code\\": 5" f; grep -c child-pid f', 0),
    'info-fd': ('$S --info-fd 9 true 9>f; grep -c child-pid f', 0),
    'block-fd': ('mkfifo p; (sleep .3; echo go >>order; echo >p) & $S --block-fd 9 sh -c "echo ran" 9<>p >>order; wait; cat order', 0),
    'sync-fd': ('mkfifo p; (cat p; echo over) & $S --sync-fd 9 ls -1 /proc/self/fd 9>p >l; wait; grep -c 9 l', 1),
    'lock-file': ('echo a >f; $S --bind "$D" /d --lock-file /d/f true', 0),
    'seccomp': ('''python3 -c 'import struct,sys; w=lambda *a: sys.stdout.buffer.write(struct.pack("HBBI",*a))
w(0x20,0,0,0); w(0x15,0,1,63); w(6,0,0,0x50001); w(6,0,0,0x7fff0000)' >f; $S --seccomp 9 uname 9<f 2>/dev/null; echo $?''', 0),
    'perms-alone': ('$S --perms 0700 --proc /p true', 1),
    'cap-drop': ('$S --cap-drop ALL true', 0),
    'new-session': ('$S --new-session true', 0),
    'gcc': ('echo "int main(void){return 7;}" | $W --chdir "$D" gcc -x c -o a.out -; stat -c %U a.out; ./a.out', 7),
    'python': ('echo "import os,sys,json; print(json.dumps(sorted(os.listdir(\\"/\\")))); sys.exit(4)" >s.py; $W /usr/bin/python3 s.py', 4),
    'git': ('git init -q .; git -c user.name=a -c user.email=b commit -q --allow-empty -m m; touch new; $W git status --short --branch', 0),
    'man': ('$S --ro-bind-try /etc/manpath.config /etc/manpath.config man -P cat ls | head -n 3', 0),
    'imagemagick': ('PROGRAM=$(command -v magick convert-im6.q16 | head -n 1); [ "$PROGRAM" ] || exit 9; '
                    '$W "$PROGRAM" -size 8x8 xc:red -resize 50% out.png; $W "$PROGRAM" out.png -format "%wx%h\n" info: | grep 4x4', 0),
    'perl': ('$S perl -e "print 6*7, qq(\\n)"', 0),
    'pipeline': ('$S sh -c "ls /usr | sort -r | head -n 2 | tr a-z A-Z"', 0),
    'demo': ('''$B --ro-bind /usr /usr --dir /tmp --dir /var --symlink ../tmp var/tmp --proc /proc --dev /dev
--ro-bind /etc/resolv.conf /etc/resolv.conf --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin
--symlink usr/sbin /sbin --chdir / --unshare-all --die-with-parent --dir /run/user/$(id -u)
--setenv XDG_RUNTIME_DIR /run/user/$(id -u) --setenv PS1 "bwrap-demo$ " --file 11 /etc/passwd --file 12 /etc/group
/bin/sh -c 'id -un; ls -1 / /run/user; readlink /var/tmp; echo "$PS1"' 11< <(getent passwd $UID 65534) 12< <(getent group $UID 65534)
'''.replace('\n', ' '), 0),
    # as coding agents confine what they run: all read-only, the project writable, keys hidden, no network but a socket
    'agent': ('''mkdir -p p home/.ssh; echo secret >home/.ssh/key; python3 -c 'import socket,os
s=socket.socket(socket.AF_UNIX); s.bind("proxy"); s.listen(); c=s.accept()[0]; c.sendall(b"proxied")' & while ! [ -S proxy ]; do sleep .05; done
$B --new-session --die-with-parent --ro-bind / / --tmpfs /tmp --dev /dev --proc /proc --ro-bind "$D" "$D" --bind "$D/p" "$D/p" --tmpfs "$D/home/.ssh" \
--bind "$D/proxy" "$D/proxy" --unshare-net --unshare-pid --chdir "$D/p" -- bash -c 'ls -A ../home/.ssh; echo made >f; touch ../no 2>/dev/null || echo kept
tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " "; python3 -c "import socket
s=socket.socket(socket.AF_UNIX); s.connect(\\"../proxy\\"); print(s.recv(9))"'; cat p/f; wait''', 0),
    'find': ('$S find / -xdev -maxdepth 1 -printf "%y %p\\n" | sort', 0),
}


class Side(SideCase):
    """A test for each line is added below."""


def add(name, script, status):
    def test(self):
        self.assertEqual(self.same(script)[0], status)
    test.__doc__ = f'{name}: as with bubblewrap'
    setattr(Side, 'test_' + name.replace('-', '_'), test)


for name, (script, status) in LINES.items():
    add(name, script, status)
