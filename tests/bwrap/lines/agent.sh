# a coding agent: all is read-only, the project can be written to but for its .git, keys are hidden, and of the network
# there is a proxy's socket alone
mkdir -p project/.git/hooks home/.ssh; echo secret >home/.ssh/key; echo hook >project/.git/hooks/pre-commit
python3 -c 'import socket
proxy = socket.socket(socket.AF_UNIX); proxy.bind("proxy"); proxy.listen(); proxy.accept()[0].sendall(b"proxied\n")' &
while ! [ -S proxy ]; do sleep .05; done
bwrap --new-session --die-with-parent --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --tmpfs /run --ro-bind "$D" "$D" \
        --bind "$D/project" "$D/project" --ro-bind "$D/project/.git" "$D/project/.git" --tmpfs "$D/home/.ssh" \
        --bind "$D/proxy" /run/proxy --unshare-user --unshare-pid --unshare-net --unshare-ipc --chdir "$D/project" -- bash -c '
echo made >file
ls -A ../home/.ssh
for name in ../no .git/config .git/hooks/pre-commit; do (echo x >"$name") 2>/dev/null || echo "kept $name"; done
tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " "
python3 -c "import socket
agent = socket.socket(socket.AF_UNIX); agent.connect(\"/run/proxy\"); print(agent.recv(8).decode(), end=\"\")"'
cat project/file project/.git/hooks/pre-commit
wait
#= kept ../no
#= kept .git/config
#= kept .git/hooks/pre-commit
#= lo
#= proxied
#= made
#= hook
