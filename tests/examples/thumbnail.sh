#!/bin/sh
# Makes a thumbnail of a picture whose maker nobody trusts: in an empty root, with limits of memory and time.
#
# usage: thumbnail.sh PICTURE THUMBNAIL.png
#
# By naivec, as any user to whom polkit grants "run".
set -eu
picture=$(readlink -f "$1") directory=$(readlink -f "$(dirname "$2")")
cd "$directory"
exec naivec run --host-usr --memory=512M --timeout=20 --volume "$picture:/in:ro" \
        gdk-pixbuf-thumbnailer -s 32 /in "$directory/$(basename "$2")"
