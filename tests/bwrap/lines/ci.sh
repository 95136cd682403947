# a step of CI: a checkout that can be written to, a home of its own, options from a file, a build and its artifact
mkdir -p checkout artifacts; cd checkout
echo 'int main(void) { return 42; }' >a.c
printf '%s\0' --unshare-all --die-with-parent --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib \
        --symlink usr/lib64 /lib64 --symlink usr/sbin /sbin --ro-bind-try /etc/alternatives /etc/alternatives --proc /proc \
        --dev /dev --tmpfs /tmp --perms 0700 --dir /home/ci --setenv HOME /home/ci --setenv CI true \
        --bind "$D/checkout" /build --bind "$D/artifacts" /artifacts --chdir /build >../options
bwrap --args 9 -- sh -ec 'gcc -o a.out a.c; cp a.out /artifacts; echo "$CI $HOME"; stat -c "%a %n" /home/ci; exit 7' 9<../options
echo $?
../artifacts/a.out; echo $?; stat -c %U ../artifacts/a.out | grep -cx "$USER"
#= true /home/ci
#= 700 /home/ci
#= 7
#= 42
#= 1
