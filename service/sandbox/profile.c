#include "service/sandbox/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "service/sandbox/seccomp.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define MOUNT_PRIVATE (1u << 18) /* MS_PRIVATE; sys/mount.h clashes with linux/mount.h */

static const struct {
        const char *name;
        unsigned major, minor;
} nodes[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
             {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};

static const struct {
        const char *name, *target;
} links[] = {{"fd", "/proc/self/fd"},
             {"stdin", "/proc/self/fd/0"},
             {"stdout", "/proc/self/fd/1"},
             {"stderr", "/proc/self/fd/2"},
             {"ptmx", "pts/ptmx"}};

static const char *const directories[] = {"pts", "shm", "mqueue"};

#define SAFE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

const NewMount profile_file_systems[_EARLY_MAX] = {
        [EARLY_PROC] = {"proc", {{NULL}}, SAFE},
        [EARLY_SYS] = {"sysfs", {{NULL}}, SAFE | MOUNT_ATTR_RDONLY},
        [EARLY_PTS] = {"devpts",
                       {{"ptmxmode", "0666"},
                        {"mode", "0620"},
                        {"max", G_STRINGIFY(TERMINALS_MAX)},
                        {"gid", "5"}}, /* the last: not every container has the group */
                       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC},
        [EARLY_SHM] = {"tmpfs", {{"mode", "1777"}, {"size", "65536k"}}, SAFE},
        [EARLY_MQUEUE] = {"mqueue", {{NULL}}, SAFE},
        [EARLY_TMP] = {"tmpfs", {{"mode", "1777"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV},
};

#define STEP(which, where, name, place, optional)                                                  \
        {                                                                                          \
                .kind = MOUNT_EARLY, .index = which, .at = where, .target = name,                  \
                .is_directory = true, .is_optional = optional, .stage = STAGE_MOUNT_OWN,           \
                .number = place                                                                    \
        }

const MountStep profile_steps[PROFILE_STEPS] = {
        STEP(EARLY_PROC, -1, "proc", 0, false),
        STEP(EARLY_SYS, -1, "sys", 1, false),
        STEP(EARLY_DEV, -1, "dev", 2, false),
        STEP(EARLY_PTS, EARLY_DEV, "pts", 3, false),
        STEP(EARLY_SHM, EARLY_DEV, "shm", 4, false),
        STEP(EARLY_MQUEUE, EARLY_DEV, "mqueue", 5, false),
        /* A root tree need not have a /tmp, and it may be a link to a directory of the tree. */
        {.kind = MOUNT_EARLY,
         .index = EARLY_TMP,
         .at = -1,
         .target = "tmp",
         .follows_links = true,
         .keeps_out = true,
         .is_ours = true,
         .is_directory = true,
         .is_optional = true,
         .stage = STAGE_MOUNT_OWN,
         .number = 6},
};

/* The OCI's lists of paths that tell of the host, or would change it. */
static const struct {
        const char *path;
        MountKind kind;
        int at;
} masks[] = {
        {"acpi", MOUNT_MASK_DIRECTORY, EARLY_PROC},
        {"asound", MOUNT_MASK_DIRECTORY, EARLY_PROC},
        {"interrupts", MOUNT_MASK_FILE, EARLY_PROC},
        {"kcore", MOUNT_MASK_FILE, EARLY_PROC},
        {"keys", MOUNT_MASK_FILE, EARLY_PROC},
        {"latency_stats", MOUNT_MASK_FILE, EARLY_PROC},
        {"sched_debug", MOUNT_MASK_FILE, EARLY_PROC},
        {"scsi", MOUNT_MASK_DIRECTORY, EARLY_PROC},
        {"timer_list", MOUNT_MASK_FILE, EARLY_PROC},
        {"timer_stats", MOUNT_MASK_FILE, EARLY_PROC},
        {"bus", MOUNT_READ_ONLY, EARLY_PROC},
        {"fs", MOUNT_READ_ONLY, EARLY_PROC},
        {"irq", MOUNT_READ_ONLY, EARLY_PROC},
        {"pressure", MOUNT_READ_ONLY,
         EARLY_PROC}, /* a write sets a trigger for the whole machine's pressure */
        {"sys", MOUNT_READ_ONLY, EARLY_PROC},
        {"sysrq-trigger", MOUNT_READ_ONLY, EARLY_PROC},
        {"firmware", MOUNT_MASK_DIRECTORY, EARLY_SYS},
        {"devices/virtual/powercap", MOUNT_MASK_DIRECTORY, EARLY_SYS},
};

static bool is_node(int dir, const char *name, unsigned major, unsigned minor)
{
        struct stat status;

        return fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(status.st_mode) &&
               status.st_rdev == makedev(major, minor);
}

static bool bind_node(int dir, const char *name)
{
        g_autofree char *host = g_strconcat("/dev/", name, NULL);
        autofd int file = openat(dir, name, O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0666);
        autofd int mount =
                (int) syscall(SYS_open_tree, AT_FDCWD, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        return file >= 0 && mount >= 0 &&
               syscall(SYS_move_mount, mount, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

static bool make_node(int dir, const char *name, unsigned major, unsigned minor)
{
        if (mknodat(dir, name, S_IFCHR | 0666, makedev(major, minor)) < 0 && errno != EEXIST)
                return false;
        return fchmodat(dir, name, 0666, 0) == 0;
}

static bool fill_dev(int dir, bool bind, GError **error)
{
        for (size_t i = 0; i < G_N_ELEMENTS(nodes); i++)
                if (!(bind ? bind_node(dir, nodes[i].name)
                           : make_node(dir, nodes[i].name, nodes[i].major, nodes[i].minor)) ||
                    !is_node(dir, nodes[i].name, nodes[i].major, nodes[i].minor))
                        return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                               "cannot make the containers' /dev/%s",
                                               nodes[i].name);
        for (size_t i = 0; i < G_N_ELEMENTS(links); i++)
                if (symlinkat(links[i].target, dir, links[i].name) < 0 && errno != EEXIST)
                        return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                               "cannot make the containers' /dev/%s",
                                               links[i].name);
        for (size_t i = 0; i < G_N_ELEMENTS(directories); i++)
                if (mkdirat(dir, directories[i], 0755) < 0 && errno != EEXIST)
                        return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                               "cannot make the containers' /dev/%s",
                                               directories[i]);
        return true;
}

/* The tmpfs lies where it hides nothing that a caller could mean: a devpts can hold no root tree.
 * Rejected: on top of our own "/". There it would hide nothing at all, but the kernel takes a
 * process under such a mount for chrooted, and lets it make no user namespace. */
#define DEV_MOUNT_POINT "/dev/pts"

static int mount_dev(void)
{
        autofd int fs = (int) syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
        autofd int mount = -1;

        if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
            syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -1;
        mount = (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
        if (mount < 0 || syscall(SYS_move_mount, mount, "", AT_FDCWD, DEV_MOUNT_POINT,
                                 MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return -1;
        return steal_fd(&mount);
}

/* O_PATH: a watch on the directory, from inside, does not tell of it. */
static int make_directory(int parent, const char *name)
{
        if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
                return -1;
        return openat(parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* The /dev of one owner's containers. A lock or a watch belongs to the file, whatever mount leads
 * there: with one /dev for all, a container would see when another user's opens /dev/urandom. */
static bool open_owners_dev(const Profile *profile, uid_t owner, int *ret_fd, GError **error)
{
        char name[16];

        g_snprintf(name, sizeof name, "%u", (unsigned) owner);
        autofd int dir = make_directory(profile->dev_fd, name);
        if (dir < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "cannot make a directory for the containers' /dev");
        /* a directory that was filled half lacks what is made last */
        if (faccessat(dir, directories[G_N_ELEMENTS(directories) - 1], F_OK, 0) < 0 &&
            !fill_dev(dir, false, error))
                return false;
        *ret_fd = steal_fd(&dir);
        return true;
}

/* Makes root's /dev at once: a service that cannot make one says so at its start. */
static bool open_dev(Profile *profile, int state_dir, GError **error)
{
        autofd int roots = -1;

        profile->dev_in_mount_namespace = state_dir < 0;
        profile->dev_fd = state_dir < 0 ? mount_dev() : make_directory(state_dir, "dev");
        if (profile->dev_fd < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "cannot make a directory for the containers' /dev");
        return state_dir < 0 ? fill_dev(profile->dev_fd, true, error)
                             : open_owners_dev(profile, 0, &roots, error);
}

/* Keeps the masks whose paths this kernel has; a path that goes later is no error. */
static void probe_masks(Profile *profile)
{
        profile->masks = g_new0(MountStep, G_N_ELEMENTS(masks));
        for (size_t i = 0; i < G_N_ELEMENTS(masks); i++) {
                g_autofree char *path = g_strconcat(masks[i].at == EARLY_SYS ? "/sys/" : "/proc/",
                                                    masks[i].path, NULL);
                struct stat status;
                if (stat(path, &status) < 0)
                        continue;
                MountKind kind = masks[i].kind;
                if (kind != MOUNT_READ_ONLY)
                        kind = S_ISDIR(status.st_mode) ? MOUNT_MASK_DIRECTORY : MOUNT_MASK_FILE;
                profile->masks[profile->n_masks++] = (MountStep){
                        .kind = kind,
                        .at = masks[i].at,
                        .target = masks[i].path,
                        .is_optional = true,
                        .stage = STAGE_MASK,
                };
        }
}

/* Since Linux 6.15 a mount that is attached nowhere yet can be cloned, and one can be put on it. */
static bool can_mount_on_detached(void)
{
        autofd int fs = (int) syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
        autofd int below = -1, above = -1;

        if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return false;
        below = (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
        above = (int) syscall(SYS_open_tree, AT_FDCWD, DEV_MOUNT_POINT,
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        autofd int copy = (int) syscall(SYS_open_tree, below, "",
                                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        return below >= 0 && above >= 0 && copy >= 0 &&
               syscall(SYS_move_mount, above, "", below, "",
                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

static int read_last_capability(void)
{
        char text[16];

        if (fd_read_file_at(AT_FDCWD, "/proc/sys/kernel/cap_last_cap", text, sizeof text) <= 0)
                return CAP_LAST_CAP;
        return (int) g_ascii_strtoll(text, NULL, 10);
}

static uint64_t read_own_capabilities(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {{0}};

        syscall(SYS_capget, &header, data);
        return (uint64_t) data[1].permitted << 32 | data[0].permitted;
}

static int read_oom_score(void)
{
        char text[16];

        return fd_read_file_at(AT_FDCWD, "/proc/self/oom_score_adj", text, sizeof text) > 0
                       ? (int) g_ascii_strtoll(text, NULL, 10)
                       : 0;
}

bool profile_new(int state_dir, Profile **ret, GError **error)
{
        g_autoptr(Profile) profile = g_new0(Profile, 1);
        struct rlimit files;

        profile->dev_fd = -1;
        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot read RLIMIT_NOFILE");
        profile->files_soft = files.rlim_cur;
        profile->files_hard = files.rlim_max;
        profile->oom_score = read_oom_score();
        if (!proc_title(&profile->title.start, &profile->title.size))
                return error_set(error, RUNTIME_ERROR_FAILED,
                                 "cannot find the service's command line in /proc/self/stat");
        profile->capabilities = CAPABILITIES_DEFAULT;
        profile->file_capabilities = CAPABILITY(SETFCAP) | CAPABILITY(MKNOD);
        profile->own_capabilities = read_own_capabilities();
        profile->last_capability = read_last_capability();
        if (!open_dev(profile, state_dir, error) ||
            !seccomp_program_new(SECCOMP_SET_ID_ALLOWED, 0, &profile->seccomp, error) ||
            !seccomp_program_new(SECCOMP_SET_ID_REFUSED, 0, &profile->seccomp_set_id, error) ||
            !seccomp_program_new(SECCOMP_STRICT, 0, &profile->seccomp_strict, error))
                return false;
        probe_masks(profile);
        profile->masks_late = !can_mount_on_detached();
        *ret = g_steal_pointer(&profile);
        return true;
}

void profile_free(Profile *profile)
{
        if (!profile)
                return;
        fd_close(profile->dev_fd);
        seccomp_program_free(profile->seccomp);
        seccomp_program_free(profile->seccomp_set_id);
        seccomp_program_free(profile->seccomp_strict);
        g_free(profile->masks);
        g_free(profile);
}

bool profile_clone_dev(const Profile *profile, uid_t owner, int *ret_mount, GError **error)
{
        struct mount_attr attributes = {
                .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                .attr_clr = MOUNT_ATTR_NODEV, /* the state directory's mount may be nodev */
                /* private: what a container mounts on it must not appear on the host, nor in other
                 * containers */
                .propagation = MOUNT_PRIVATE,
        };
        unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
        autofd int own = -1;

        if (!profile->dev_in_mount_namespace && !open_owners_dev(profile, owner, &own, error))
                return false;
        if (profile->dev_in_mount_namespace) {
                flags |= AT_RECURSIVE;
                attributes.attr_clr = 0; /* the kernel locks the host's flags on bound nodes */
        }
        autofd int mount =
                (int) syscall(SYS_open_tree, own >= 0 ? own : profile->dev_fd, "", flags);
        if (mount < 0 ||
            syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | (flags & AT_RECURSIVE),
                    &attributes, sizeof attributes) < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "cannot clone the containers' /dev");
        *ret_mount = steal_fd(&mount);
        return true;
}

bool profile_make_host_sys(int *ret_mount, GError **error)
{
        const unsigned safe =
                MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        struct mount_attr attributes = {.attr_set = safe, .propagation = MOUNT_PRIVATE};
        autofd int fs = (int) syscall(SYS_fsopen, "sysfs", FSOPEN_CLOEXEC);
        autofd int mount = -1;

        if (fs >= 0 && syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
                mount = (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, safe);
        /* A service that does not own the network either (EPERM) hands on the /sys that it sees
         * itself, with all that is mounted there: nothing that is covered may come to light. */
        if (mount < 0 && errno == EPERM) {
                mount = (int) syscall(SYS_open_tree, AT_FDCWD, "/sys",
                                      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
                if (mount >= 0 &&
                    syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                            sizeof attributes) < 0)
                        fd_clear(&mount);
        }
        if (mount < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "cannot make a sysfs of the host's network");
        *ret_mount = steal_fd(&mount);
        return true;
}
