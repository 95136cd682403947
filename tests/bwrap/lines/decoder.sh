# an image loader (as Glycin's): the picture comes on stdin, raw pixels go to stdout; no file of the user's is there
python3 -c 'import struct, sys
for row in (0x20, 0, 0, 0), (0x15, 0, 1, 101), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000):
    sys.stdout.buffer.write(struct.pack("HBBI", *row))' >filter
bwrap --unshare-all --die-with-parent --chdir / --ro-bind /usr /usr --dev /dev --ro-bind-try /etc/ld.so.cache /etc/ld.so.cache \
        --ro-bind-try /nix/store /nix/store --tmpfs /tmp-home --tmpfs /tmp-run --clearenv --setenv HOME /tmp-home \
        --setenv XDG_RUNTIME_DIR /tmp-run --setenv LANG C.UTF-8 --symlink /usr/lib /lib --symlink /usr/lib64 /lib64 \
        --symlink /usr/bin /bin --seccomp 9 /usr/bin/perl -MCompress::Zlib -e '
undef $/; my $png = <STDIN>; my ($at, $data) = (8, "");
while ($at < length $png) {
        my ($length, $kind) = unpack "NA4", substr $png, $at;
        $data .= substr $png, $at + 8, $length if $kind eq "IDAT";
        $at += 12 + $length;
}
print substr uncompress($data), 1, 6; print STDERR join(" ", grep { -d } "/etc", "/home", "/tmp-home"), "\n"' \
        <"$PICTURE" 9<filter 2>words | od -An -tx1
cat words
#= ff 80 00 ff 80 00
#= /etc /tmp-home
