#pragma once

/* The one table of the options of Spawn and Create: key and type on the bus, flag and help of
 * `naivec`. dbus/decode/ expands it into its decoders (each checks its own value), cli/ into
 * command line flags and help, and the tests compare both man page and help with it. A row without
 * a flag ("") is for callers of the bus alone. X(Key, signature, flag, metavar, help) */

/* Whose end ends the process, and who is told of its steps. */
#define WATCH_OPTIONS(X)                                                                           \
        X(WatchBus, "b", "", "", "end the container when the caller leaves the bus")               \
        X(StatusFD, "h", "", "", "a pipe that gets a line of JSON for each step of the container")

#define CONTAINER_OPTIONS(X)                                                                       \
        X(Id, "s", "name", "NAME",                                                                 \
          "name of the container, unique for its owner (default: container-N)")                    \
        X(Labels, "a{ss}", "label", "KEY=VALUE",                                                   \
          "give the container a label to find it by; may be repeated")                             \
        WATCH_OPTIONS(X)                                                                           \
        X(WatchFD, "b", "", "", "end the container when nobody reads StatusFD any more")           \
        X(Remove, "b", "rm", "BOOL", "forget the container once it has ended")

/* How much it may use. */
#define RESOURCE_OPTIONS(X)                                                                        \
        X(MemoryMax, "t", "memory", "BYTES",                                                       \
          "memory limit; K, M, G, T suffixes; 'infinity' for none")                                \
        X(MemorySwapMax, "t", "memory-swap-max", "BYTES",                                          \
          "swap allowed beside the memory (default: 0)")                                           \
        X(TasksMax, "t", "pids-limit", "N",                                                        \
          "limit of processes and threads; root may say 'infinity'")                               \
        X(MemoryHigh, "t", "memory-high", "BYTES",                                                 \
          "memory above which the command is slowed down")                                         \
        X(MemoryLow, "t", "memory-reservation", "BYTES",                                           \
          "memory that is left alone while there is other to take")                                \
        X(CPUWeight, "t", "cpu-shares", "N",                                                       \
          "share of busy processors, from 1 to 262144 (default: 1024)")                            \
        X(CPUQuotaPerSecUSec, "t", "cpus", "NUMBER",                                               \
          "processors' time at most, such as 0.5 or 2; 0 for no limit")                            \
        X(AllowedCPUs, "s", "cpuset-cpus", "LIST", "run on these processors alone, such as 0-3,5") \
        X(IOWeight, "t", "blkio-weight", "N", "share of busy disks, from 10 to 1000")              \
        X(CPUTimeMaxUSec, "t", "", "", "kill the container after this much processor time")        \
        X(RuntimeMaxUSec, "t", "timeout", "SECONDS",                                               \
          "kill the container when it has run for this long; 'infinity' for no limit")

/* What Update takes of that, and what only Update takes: X(Key, signature). */
#define UPDATE_OPTIONS(X)                                                                          \
        X(MemoryMax, "t")                                                                          \
        X(MemorySwapMax, "t")                                                                      \
        X(TasksMax, "t")                                                                           \
        X(MemoryHigh, "t")                                                                         \
        X(MemoryLow, "t")                                                                          \
        X(CPUWeight, "t")                                                                          \
        X(CPUQuotaPerSecUSec, "t")                                                                 \
        X(AllowedCPUs, "s")                                                                        \
        X(IOWeight, "t")                                                                           \
        X(WatchBus, "b")                                                                           \
        X(Force, "b")

/* What is to run, and with which rights: first what can also be said of a process that joins. There
 * an option of rights gives no more than the container's first process has, see
 * rights_settle_join(). */
#define JOINING_OPTIONS(X)                                                                         \
        X(Environment, "aay", "env", "NAME=VALUE", "set an environment variable; may be repeated") \
        X(WorkingDirectory, "ay", "workdir", "DIR",                                                \
          "working directory inside the container (default: /)")                                   \
        X(User, "(uu)", "user", "UID[:GID]",                                                       \
          "user and group of the command, as numbers (default: 0:0)")                              \
        X(SupplementaryGroups, "au", "group-add", "GID",                                           \
          "give the command another group, a number; may be repeated")                             \
        X(StandardInput, "h", "", "", "file descriptor 0, for clients that cannot send a{uh}")     \
        X(StandardOutput, "h", "", "", "file descriptor 1")                                        \
        X(StandardError, "h", "", "", "file descriptor 2")                                         \
        X(Terminal, "b", "tty", "BOOL", "give the container a terminal of its own")                \
        X(Capabilities, "as", "cap-add", "CAP",                                                    \
          "add a capability to the default set, or 'all'; may be repeated")                        \
        X(NoNewPrivileges, "b", "no-new-privileges", "BOOL",                                       \
          "let no program gain rights by exec (default: yes)")                                     \
        X(LimitNOFILE, "(tt)", "", "", "open files: soft and hard limit")

#define PROCESS_OPTIONS(X)                                                                         \
        JOINING_OPTIONS(X)                                                                         \
        X(Init, "b", "init", "BOOL", "put a PID 1 beside the command, which reaps")                \
        X(UMask, "u", "umask", "MODE", "mask of file modes, octal (default: 0022)")                \
        X(CapabilityBoundingSet, "as", "", "", "the capabilities that there may be at most")       \
        X(Seccomp, "s", "seccomp", "MODE",                                                         \
          "the filter of system calls: 'default', 'strict', or 'unconfined' for none")             \
        X(SeccompFilters, "aay", "", "", "programs of the caller's beside that filter")            \
        X(SeccompLog, "b", "seccomp-log", "BOOL", "tell which system calls the filter refuses")    \
        X(LimitFSIZE, "(tt)", "", "", "size of a file that is written, in bytes")                  \
        X(LimitCORE, "(tt)", "", "", "size of a core dump, in bytes")                              \
        X(LimitSTACK, "(tt)", "", "", "size of the stack, in bytes")                               \
        X(LimitNPROC, "(tt)", "", "", "processes and threads of the command's user")               \
        X(LimitMEMLOCK, "(tt)", "", "", "locked memory, in bytes")                                 \
        X(OOMScoreAdjust, "i", "oom-score-adj", "N",                                               \
          "when memory is short, end this before others: -1000 to 1000")

/* Where it runs: the tree, what is mounted in it, the namespaces. */
#define TREE_OPTIONS(X)                                                                            \
        X(RootFD, "h", "", "", "the root file system as a directory that the caller holds")        \
        X(EmptyRoot, "b", "", "", "no root file system: a new one in which 'Mounts' are made")     \
        X(Volatile, "b", "volatile", "BOOL",                                                       \
          "keep what is written to the root file system in memory, until the container's end")     \
        X(RootSize, "t", "root-size", "BYTES", "size of that, or of an empty root")                \
        X(ReadOnlyRoot, "b", "read-only", "BOOL", "mount the root read-only (default: yes)")       \
        X(Mounts, "a(ayaysas)", "volume", "SRC:DST[:OPTIONS]",                                     \
          "bind a file or directory into the container; options ro, rw, noexec; may be repeated")  \
        X(Hostname, "s", "hostname", "NAME", "host name inside the container (default: its name)") \
        X(UserNamespace, "s", "userns", "MODE",                                                    \
          "ids are 'auto': a private range; 'self': you as root; 'keep-id': yours; 'host': all")   \
        X(Network, "s", "network", "MODE", "'private': loopback only; 'host': the host's network")

#define NAMESPACE_OPTIONS(X)                                                                       \
        X(NetworkNamespaceFD, "h", "", "", "a network namespace that the caller holds")            \
        X(Sysctl, "a{ss}", "sysctl", "KEY=VALUE", "a kernel setting of its own; may be repeated")

#define SPAWN_OPTIONS(X)                                                                           \
        CONTAINER_OPTIONS(X)                                                                       \
        RESOURCE_OPTIONS(X) PROCESS_OPTIONS(X) TREE_OPTIONS(X) NAMESPACE_OPTIONS(X)

/* What Exec takes: the container is there already. */
#define EXEC_OPTIONS(X) JOINING_OPTIONS(X) WATCH_OPTIONS(X)
