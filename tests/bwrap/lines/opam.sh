# opam-init/hooks/sandbox.sh: "build" sees the switch and may write in its directory, "install" may write in the switch
mkdir -p build switch/.opam-switch cache; cd build
set -- --unshare-net --new-session --die-with-parent --proc /proc --dev /dev --setenv TMPDIR /opam-tmp --setenv TMP /opam-tmp \
        --setenv TEMPDIR /opam-tmp --setenv TEMP /opam-tmp --tmpfs /opam-tmp --tmpfs /run --ro-bind /usr /usr \
        --symlink /usr/bin /bin --symlink /usr/lib /lib --symlink /usr/lib32 /lib32 --symlink /usr/lib64 /lib64 \
        --ro-bind /etc /etc --ro-bind /opt /opt --ro-bind /home /home --ro-bind /var /var --ro-bind /tmp /tmp
bwrap "$@" --ro-bind "$D/switch" "$D/switch" --bind "$D/build" "$D/build" --bind "$D/cache" "$D/cache" \
        sh -c 'echo built >out; echo x >"$TMPDIR/f" && ls /opam-tmp; touch ../switch/no 2>/dev/null || echo kept; pwd | grep -o "side/build$"'
bwrap "$@" --bind "$D/switch" "$D/switch" --ro-bind "$D/switch/.opam-switch" "$D/switch/.opam-switch" \
        --bind "$D/build" "$D/build" sh -c 'cp out ../switch/installed; touch ../switch/.opam-switch/no 2>/dev/null || echo kept'
cat ../switch/installed
#= f
#= kept
#= side/build
#= kept
#= built
