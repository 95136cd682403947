# flatpak-validate-icon --sandbox 512 512 ICON: runs itself in the sandbox, here a thumbnailer that reads the icon as well
cp "$PICTURE" in.png
mkdir -p libexec; printf '#!/bin/sh\ntest "$1 $2" = "512 512" && gdk-pixbuf-thumbnailer -s 16 "$3" /tmp/x && echo "read $(id -u | tr -d 0-9)$GIO_USE_VFS"\n' >libexec/flatpak-validate-icon
chmod +x libexec/flatpak-validate-icon
bwrap --unshare-ipc --unshare-net --unshare-pid --ro-bind /usr /usr --ro-bind-try /etc/ld.so.cache /etc/ld.so.cache \
        --ro-bind "$D/libexec/flatpak-validate-icon" /libexec/flatpak-validate-icon --symlink /usr//bin /bin --symlink /usr//lib32 /lib32 \
        --symlink /usr//lib64 /lib64 --symlink /usr//lib /lib --symlink /usr//sbin /sbin --tmpfs /tmp --proc /proc --dev /dev \
        --chdir / --setenv GIO_USE_VFS local --unsetenv TMPDIR --die-with-parent --ro-bind "$D/in.png" /in.png \
        /libexec/flatpak-validate-icon 512 512 /in.png
#= read local
