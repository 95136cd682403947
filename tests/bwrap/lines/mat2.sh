# libmat2/bubblewrap.py: exiftool looks into a picture, then a command writes a clean copy into a directory of its own
cp "$PICTURE" in.png; mkdir out new; echo old >out/kept
set -- --ro-bind /usr /usr --ro-bind /lib /lib --ro-bind /lib64 /lib64 --ro-bind /bin /bin --ro-bind /sbin /sbin \
        --ro-bind /etc/alternatives /etc/alternatives --ro-bind "$D" "$D" --ro-bind /etc/ld.so.cache /etc/ld.so.cache \
        --dev /dev --proc /proc --chdir "$D" --unshare-user-try --unshare-ipc --unshare-pid --unshare-net --unshare-uts \
        --unshare-cgroup-try --new-session --cap-drop all
bwrap "$@" --ro-bind "$D/in.png" "$D/in.png" \
        perl -e 'open F, "in.png"; read F, $head, 24; print join("x", unpack "x16NN", $head), "\n"'
bwrap "$@" --bind "$D/new" "$D/out" --ro-bind "$D/in.png" "$D/in.png" cp in.png out/out.png
cmp in.png new/out.png && ls out new
bwrap "$@" --ro-bind "$D/in.png" "$D/in.png" touch "$D/no" 2>/dev/null || echo kept
#= 64x64
#= new:
#= out.png
#=
#= out:
#= kept
#= kept
