#pragma once

/* The one table of the options of Spawn and Create: key and type on the bus, flag and help of
 * `naivec`. dbus/spec-decode.c expands it into its decoders (each checks its own value), cli/ into
 * command line flags and help, and the tests compare both man page and help with it. A row without
 * a flag ("") is for callers of the bus alone.
 *
 * X(Key, signature, flag, metavar, help) */

#define SPAWN_OPTIONS(X)                                                                           \
        X(Id, "s", "name", "NAME",                                                                 \
          "name of the container, unique for its owner (default: container-N)")                    \
        X(MemoryMax, "t", "memory", "BYTES",                                                       \
          "memory limit; K, M, G, T suffixes; 'infinity' for none")                                \
        X(MemorySwapMax, "t", "memory-swap-max", "BYTES",                                          \
          "swap allowed beside the memory (default: 0)")                                           \
        X(TasksMax, "t", "pids-limit", "N",                                                        \
          "limit of processes and threads; root may say 'infinity'")                               \
        X(Environment, "aay", "env", "NAME=VALUE", "set an environment variable; may be repeated") \
        X(WorkingDirectory, "ay", "workdir", "DIR",                                                \
          "working directory inside the container (default: /)")                                   \
        X(UMask, "u", "umask", "MODE", "mask of file modes, octal (default: 0022)")                \
        X(Hostname, "s", "hostname", "NAME", "host name inside the container (default: its name)") \
        X(Mounts, "a(ayaysas)", "volume", "SRC:DST[:OPTIONS]",                                     \
          "bind a file or directory into the container; options ro, rw, noexec; may be repeated")  \
        X(RootFD, "h", "", "", "the root file system as a directory that the caller holds")        \
        X(StandardInput, "h", "", "", "file descriptor 0, for clients that cannot send a{uh}")     \
        X(StandardOutput, "h", "", "", "file descriptor 1")                                        \
        X(StandardError, "h", "", "", "file descriptor 2")                                         \
        X(Terminal, "b", "tty", "BOOL", "give the container a terminal of its own")                \
        X(ReadOnlyRoot, "b", "read-only", "BOOL",                                                  \
          "mount the root file system read-only (default: yes)")                                   \
        X(UserNamespace, "s", "userns", "MODE",                                                    \
          "'auto': a private range of ids; 'self': root is you; 'host': the host's root")          \
        X(Network, "s", "network", "MODE", "'private': loopback only; 'host': the host's network") \
        X(Capabilities, "as", "cap-add", "CAP",                                                    \
          "add a capability to the default set, or 'all'; may be repeated")                        \
        X(Seccomp, "s", "seccomp", "MODE",                                                         \
          "'default': the filter of system calls; 'unconfined': none")                             \
        X(NoNewPrivileges, "b", "no-new-privileges", "BOOL",                                       \
          "let no program gain rights by exec (default: yes)")                                     \
        X(WatchBus, "b", "", "", "end the container when the caller leaves the bus")               \
        X(Remove, "b", "rm", "BOOL", "forget the container once it has ended")
