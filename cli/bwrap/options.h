#pragma once

/* The one table of bubblewrap's options, 0.8 to 0.12: how many arguments each has, and what becomes
 * of it here, or why it is refused. line.c takes them, --help prints them, and a test compares them
 * with naive-bwrap(1) and with the bubblewrap that is installed. */

#define REFUSED_NAMESPACE "every container has namespaces of its own"
#define REFUSED_OVERLAY   "no overlay of the caller's directories is mounted"
#define REFUSED_LABEL     "containers get no SELinux labels"

/* X(name, arguments, take, what, words). Of those that are refused the words say why. */
#define BWRAP_OPTIONS(X)                                                                           \
        X("--help", "", TAKE_FLAG, FLAG_HELP, "print this help")                                   \
        X("--version", "", TAKE_FLAG, FLAG_VERSION, "print the version")                           \
        X("--args", "FD", TAKE_ARGS, 0, "take NUL-separated arguments from FD")                    \
        X("--argv0", "VALUE", TAKE_REFUSED, 0, "argv[0] is what is executed")                      \
        X("--level-prefix", "", TAKE_FLAG, FLAG_LEVEL_PREFIX, "begin messages with their level")   \
        X("--unshare-all", "", TAKE_FLAG, FLAG_UNSHARE_ALL, "a network of its own")                \
        X("--share-net", "", TAKE_FLAG, FLAG_SHARE_NET, "the host's network")                      \
        X("--unshare-user", "", TAKE_ALWAYS, 0, "always so")                                       \
        X("--unshare-user-try", "", TAKE_ALWAYS, 0, "always so")                                   \
        X("--unshare-ipc", "", TAKE_ALWAYS, 0, "always so")                                        \
        X("--unshare-pid", "", TAKE_ALWAYS, 0, "always so")                                        \
        X("--unshare-net", "", TAKE_FLAG, FLAG_UNSHARE_NET, "a network of its own")                \
        X("--unshare-uts", "", TAKE_FLAG, FLAG_UNSHARE_UTS, "always so")                           \
        X("--unshare-cgroup", "", TAKE_ALWAYS, 0, "always so")                                     \
        X("--unshare-cgroup-try", "", TAKE_ALWAYS, 0, "always so")                                 \
        X("--userns", "FD", TAKE_REFUSED, 0, REFUSED_NAMESPACE)                                    \
        X("--userns2", "FD", TAKE_REFUSED, 0, REFUSED_NAMESPACE)                                   \
        X("--disable-userns", "", TAKE_REFUSED, 0, "the filter of system calls decides that")      \
        X("--assert-userns-disabled", "", TAKE_REFUSED, 0, "nothing is tried in advance")          \
        X("--pidns", "FD", TAKE_REFUSED, 0, REFUSED_NAMESPACE)                                     \
        X("--netns", "FD", TAKE_REFUSED, 0, REFUSED_NAMESPACE)                                     \
        X("--not-a-security-boundary", "", TAKE_ALWAYS, 0, "nothing is less strict for it")        \
        X("--uid", "UID", TAKE_NUMBER, NUMBER_UID, "be this user inside")                          \
        X("--gid", "GID", TAKE_NUMBER, NUMBER_GID, "be of this group inside")                      \
        X("--hostname", "NAME", TAKE_TEXT, TEXT_HOSTNAME, "host name; needs --unshare-uts")        \
        X("--chdir", "DIR", TAKE_TEXT, TEXT_CHDIR, "working directory")                            \
        X("--clearenv", "", TAKE_CLEARENV, 0, "unset all variables but PWD")                       \
        X("--setenv", "VAR VALUE", TAKE_SETENV, 0, "set a variable")                               \
        X("--unsetenv", "VAR", TAKE_UNSETENV, 0, "unset a variable")                               \
        X("--lock-file", "DEST", TAKE_LOCK_FILE, 0, "hold a lock on what is bound at DEST")        \
        X("--sync-fd", "FD", TAKE_FD, FD_SYNC, "hold FD while the command runs")                   \
        X("--bind", "SRC DEST", TAKE_STEP, STEP_BIND, "bind SRC on DEST")                          \
        X("--bind-try", "SRC DEST", TAKE_STEP, STEP_BIND_TRY, "the same, if SRC exists")           \
        X("--dev-bind", "SRC DEST", TAKE_STEP, STEP_DEV_BIND, "only what --dev has made there")    \
        X("--dev-bind-try", "SRC DEST", TAKE_STEP, STEP_DEV_BIND, "the same")                      \
        X("--ro-bind", "SRC DEST", TAKE_STEP, STEP_RO_BIND, "bind SRC read-only on DEST")          \
        X("--ro-bind-try", "SRC DEST", TAKE_STEP, STEP_RO_BIND_TRY, "the same, if SRC exists")     \
        X("--bind-fd", "FD DEST", TAKE_STEP, STEP_BIND_FD, "bind what FD has open")                \
        X("--ro-bind-fd", "FD DEST", TAKE_STEP, STEP_RO_BIND_FD, "the same, read-only")            \
        X("--remount-ro", "DEST", TAKE_STEP, STEP_REMOUNT_RO, "make what lies there read-only")    \
        X("--overlay-src", "SRC", TAKE_REFUSED, 0, REFUSED_OVERLAY)                                \
        X("--overlay", "RWSRC WORKDIR DEST", TAKE_REFUSED, 0, REFUSED_OVERLAY)                     \
        X("--tmp-overlay", "DEST", TAKE_REFUSED, 0, REFUSED_OVERLAY)                               \
        X("--ro-overlay", "DEST", TAKE_REFUSED, 0, REFUSED_OVERLAY)                                \
        X("--exec-label", "LABEL", TAKE_REFUSED, 0, REFUSED_LABEL)                                 \
        X("--file-label", "LABEL", TAKE_REFUSED, 0, REFUSED_LABEL)                                 \
        X("--proc", "DEST", TAKE_STEP, STEP_PROC, "mount a procfs")                                \
        X("--dev", "DEST", TAKE_STEP, STEP_DEV, "mount a new dev")                                 \
        X("--tmpfs", "DEST", TAKE_STEP, STEP_TMPFS, "mount a tmpfs")                               \
        X("--mqueue", "DEST", TAKE_STEP, STEP_MQUEUE, "mount an mqueue")                           \
        X("--dir", "DEST", TAKE_STEP, STEP_DIR, "make a directory")                                \
        X("--file", "FD DEST", TAKE_STEP, STEP_FILE, "make a file with what FD has")               \
        X("--bind-data", "FD DEST", TAKE_STEP, STEP_BIND_DATA, "the same")                         \
        X("--ro-bind-data", "FD DEST", TAKE_STEP, STEP_RO_BIND_DATA, "the same, read-only")        \
        X("--symlink", "SRC DEST", TAKE_STEP, STEP_SYMLINK, "make a symbolic link")                \
        X("--seccomp", "FD", TAKE_FD, FD_FILTER, "one more filter of system calls")                \
        X("--add-seccomp-fd", "FD", TAKE_FILTER, 0, "the same, may be repeated")                   \
        X("--block-fd", "FD", TAKE_FD, FD_BLOCK, "wait until FD can be read")                      \
        X("--userns-block-fd", "FD", TAKE_REFUSED, 0, REFUSED_NAMESPACE)                           \
        X("--info-fd", "FD", TAKE_FD, FD_INFO, "tell FD about the command, in JSON")               \
        X("--json-status-fd", "FD", TAKE_FD, FD_STATUS, "the same, and how it ended")              \
        X("--new-session", "", TAKE_FLAG, FLAG_NEW_SESSION, "no terminal of its own")              \
        X("--die-with-parent", "", TAKE_FLAG, FLAG_DIE_WITH_PARENT, "end with our parent")         \
        X("--as-pid-1", "", TAKE_FLAG, FLAG_AS_PID_1, "without a PID 1 that reaps")                \
        X("--cap-add", "CAP", TAKE_CAP_ADD, 0, "give a capability")                                \
        X("--cap-drop", "CAP", TAKE_CAP_DROP, 0, "take one")                                       \
        X("--perms", "OCTAL", TAKE_PERMS, 0, "mode of what the next option makes")                 \
        X("--size", "BYTES", TAKE_SIZE, 0, "size of the next --tmpfs")                             \
        X("--chmod", "OCTAL PATH", TAKE_STEP, STEP_CHMOD, "mode of what was made at PATH")         \
        X("--embedded", "", TAKE_FLAG, FLAG_EMBEDDED, "not bubblewrap's: run without the service")
