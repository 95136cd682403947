# gnome_desktop_thumbnail_factory_generate_thumbnail(): the mount point of the picture is made in the directory for the
# thumbnail, and stays there
cp "$PICTURE" in.png; mkdir out gst
python3 -c 'import struct, sys
for row in (0x20, 0, 0, 0), (0x15, 0, 1, 101), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000):
    sys.stdout.buffer.write(struct.pack("HBBI", *row))' >filter
bwrap --ro-bind /usr /usr --ro-bind-try /etc/ld.so.cache /etc/ld.so.cache --symlink /usr//bin /bin \
        --symlink /usr//lib64 /lib64 --symlink /usr//lib /lib --symlink /usr//sbin /sbin \
        --ro-bind-try /var/cache/fontconfig /var/cache/fontconfig --setenv GST_REGISTRY_1_0 "$D/gst/gstreamer-1.0.registry" \
        --bind "$D/gst" "$D/gst" --ro-bind-try /etc/alternatives /etc/alternatives --proc /proc --dev /dev --chdir / \
        --setenv GIO_USE_VFS local --unshare-all --die-with-parent --bind "$D/out" /tmp \
        --ro-bind "$D/in.png" /tmp/gnome-desktop-file-to-thumbnail.png --seccomp 4 \
        /usr/bin/gdk-pixbuf-thumbnailer -s 32 file:///tmp/gnome-desktop-file-to-thumbnail.png \
        /tmp/gnome-desktop-thumbnailer.png 4<filter
ls out
perl -e 'open F, "out/gnome-desktop-thumbnailer.png"; read F, $head, 24; print join("x", unpack "x16NN", $head), "\n"'
#= gnome-desktop-file-to-thumbnail.png
#= gnome-desktop-thumbnailer.png
#= 32x32
