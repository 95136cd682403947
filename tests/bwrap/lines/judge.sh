# a judge: a solution gets its input and a time limit, an environment of nothing, and no way to keep anything
cat >solution.py <<'END'
import os, sys
print(sum(map(int, sys.stdin)), sorted(os.environ) == ["LC_CTYPE", "PATH", "PWD"] or sorted(os.environ), os.path.exists("/etc"))
END
echo 'while True: pass' >slow.py
seq 100 >input
set -- --unshare-all --new-session --die-with-parent --uid 1000 --gid 1000 --hostname judge --clearenv --setenv PATH /usr/bin \
        --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev \
        --size 1048576 --tmpfs /tmp --chdir /tmp
bwrap "$@" --ro-bind solution.py /solution.py --remount-ro / /usr/bin/python3 -I /solution.py <input
bwrap "$@" --ro-bind slow.py /solution.py --remount-ro / timeout 1 /usr/bin/python3 -I /solution.py <input; echo $?
bwrap "$@" --remount-ro / sh -c 'head -c 2000000 /dev/zero >big 2>/dev/null || stat -c %s big; touch /x 2>/dev/null || hostname'
#= 5050 True False
#= 124
#= 1048576
#= judge
