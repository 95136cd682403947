#include "service/sandbox/child/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/sandbox/child/report.h"
#include "service/sandbox/child/target.h"

#define UMOUNT_DETACH 2 /* sys/mount.h clashes with linux/mount.h */

#define SEALED (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

int root_new_mount(const NewMount *what)
{
        int mount = -1;
        int fs = (int) syscall(SYS_fsopen, what->type, FSOPEN_CLOEXEC);

        if (fs < 0)
                return -1;
        for (size_t i = 0; i < MOUNT_OPTIONS_MAX && what->options[i].key; i++)
                if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, what->options[i].key,
                            what->options[i].value, 0) < 0)
                        return -1;
        if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
                mount = (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, what->attributes);
        root_close(fs);
        return mount;
}

/* -- steps -- */

/* What the steps work on. */
typedef struct Stock {
        const int *early, *fds;
        int dev;    /* the mount of our /dev */
        int covers; /* an empty file and an empty directory to cover others; -1: by what /dev has */
        size_t n_early;
        Own *own;           /* NULL: early, when no target is made */
        const int *sources; /* of files */
} Stock;

/* What covers files and directories before the pivot, while our /dev cannot be cloned from here.
 * Not the host's /dev/null: by a lock or a watch on what covers /proc/kcore a container would then
 * see who opens /dev/null on the host. */
int root_make_covers(void)
{
        const NewMount room = {
                "tmpfs", {{"size", "4096"}, {"mode", "0555"}}, SEALED & ~MOUNT_ATTR_RDONLY};
        int covers = root_new_mount(&room), file;

        if (covers < 0 || syscall(SYS_mkdirat, covers, "directory", 0555) < 0 ||
            (file = (int) syscall(SYS_openat, covers, "file", O_CREAT | O_CLOEXEC, 0444)) < 0)
                return -1;
        root_close(file);
        return covers;
}

/* Makes the mount that covers a path of our own proc or sysfs: something empty, our own /dev/null,
 * or the path itself; never a file of the root tree. */
static int make_cover(const Stock *stock, const MountStep *step, int dir)
{
        const NewMount empty = {"tmpfs", {{"size", "4096"}, {"mode", "0555"}}, SEALED};
        struct mount_attr attributes = {.attr_set = SEALED & ~(uint64_t) MOUNT_ATTR_NODEV};
        const unsigned clone = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
        bool is_directory = step->kind == MOUNT_MASK_DIRECTORY;
        int mount;

        if (step->kind == MOUNT_READ_ONLY)
                mount = (int) syscall(SYS_open_tree, dir, step->target, clone);
        else if (stock->covers >= 0)
                mount = (int) syscall(SYS_open_tree, stock->covers,
                                      is_directory ? "directory" : "file", clone);
        else if (is_directory)
                return root_new_mount(&empty);
        else
                mount = (int) syscall(SYS_open_tree, stock->dev, "null", clone);
        if (mount < 0 || syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes,
                                 sizeof attributes) < 0)
                return -1;
        return mount;
}

static int find_mount(const Stock *stock, const MountStep *step, int dir)
{
        switch (step->kind) {
        case MOUNT_EARLY:
                return stock->early[step->index];
        case MOUNT_TREE:
                return stock->fds[step->index];
        case MOUNT_NEW:
                return root_new_mount(&step->new);
        case MOUNT_MASK_FILE:
        case MOUNT_MASK_DIRECTORY:
        case MOUNT_READ_ONLY:
                return make_cover(stock, step, dir);
        case MAKE_DIRECTORY:
        case MAKE_LINK:
        case MAKE_FILE:
                break;
        }
        errno = EINVAL;
        return -1;
}

/* Attaches a mount on top of "/", where no directory has to be made for it. */
static bool cover(int mount)
{
        return syscall(SYS_move_mount, mount, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
               fchdir(mount) == 0;
}

/* The target of a step, unless it is one that nothing may be put on: "/", since no path leads to
 * what is mounted there, or, in a root tree, what every container has. */
static int find_target(const Stock *stock, int dir, const MountStep *step)
{
        int target = target_open(stock->own, dir, step);

        if (target >= 0 &&
            ((step->at < 0 && target_is_root(target)) ||
             (step->keeps_out && target_is_in(stock->own, target, stock->early, stock->n_early)))) {
                root_close(target);
                errno = EXDEV;
                return -1;
        }
        return target;
}

static bool attach(const Stock *stock, int mount, int dir, const MountStep *step)
{
        bool done;
        int target;

        if (!*step->target)
                return cover(mount) && chroot(".") == 0;
        if ((target = find_target(stock, dir, step)) < 0)
                return false;
        done = syscall(SYS_move_mount, mount, "", target, "",
                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
        root_close(target);
        return done;
}

/* Where there is a file already, it is covered. */
static bool put_file(const Stock *stock, const MountStep *step)
{
        int source = step->index < 0 ? -1 : stock->sources[step->index];
        int target = find_target(stock, AT_FDCWD, step);

        if (target < 0 && errno != ENOENT)
                return false;
        return target < 0 ? make_file(stock->own, step, source) : cover_file(target, step, source);
}

/* Finds the target from the mount that it lies in: the directory on which that mount lies may have
 * got another name meanwhile. */
static bool walk_mount(const Stock *stock, const MountStep *step)
{
        int dir = step->at < 0 ? AT_FDCWD : stock->early[step->at];
        int mount = find_mount(stock, step, dir);

        if (mount < 0 || !attach(stock, mount, dir, step))
                return false;
        if (stock->own && step->is_ours && !own_add(stock->own, mount, step->is_read_only))
                return false;
        if (step->kind != MOUNT_EARLY && !(step->is_ours && step->is_read_only))
                root_close(mount);
        return true;
}

static bool walk_step(const Stock *stock, const MountStep *step)
{
        switch (step->kind) {
        case MAKE_DIRECTORY:
                return make_directory(stock->own, step);
        case MAKE_LINK:
                return make_link(stock->own, step);
        case MAKE_FILE:
                return put_file(stock, step);
        case MOUNT_EARLY:
        case MOUNT_TREE:
        case MOUNT_NEW:
        case MOUNT_MASK_FILE:
        case MOUNT_MASK_DIRECTORY:
        case MOUNT_READ_ONLY:
                break;
        }
        return walk_mount(stock, step);
}

static void walk(const SandboxBase *base, const Stock *stock, const MountStep *steps, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (!walk_step(stock, &steps[i]) && !(steps[i].is_optional && errno == ENOENT))
                        report_failure_at(base, steps[i].stage, steps[i].number);
}

/* -- the root -- */

static void attach_root(const SandboxBase *base, int root)
{
        if (!cover(root))
                report_failure(base, STAGE_ATTACH_ROOT);
}

static void change_root(const SandboxBase *base, int root)
{
        attach_root(base, root);
        /* "." is the new root for both arguments. After that the old root lies on top of the new
         * one, so "." names the old one, and that is detached. */
        if (syscall(SYS_pivot_root, ".", ".") < 0)
                report_failure(base, STAGE_PIVOT_ROOT);
        if (syscall(SYS_umount2, ".", UMOUNT_DETACH) < 0 || chdir("/") < 0)
                report_failure(base, STAGE_DETACH_OLD_ROOT);
}

/* For a sandbox that has left the host. Its old root, an empty read-only tmpfs, stays below the new
 * one: to detach it would mean to wait for an RCU grace period (0.1 to 0.4 ms). Nothing leads down
 * to it: ".." of a mount that lies on the namespace's root is that mount again, whatever the
 * command does with chroot(), and to unmount it takes a capability over the mounts that no command
 * in here has. So this is no chroot jail, and the kernel does not take it for one: user namespaces
 * could be made. */
static void cover_root(const SandboxBase *base, int root)
{
        attach_root(base, root);
        if (chroot(".") < 0)
                report_failure(base, STAGE_PIVOT_ROOT);
}

/* A sandbox that waits for its call leaves the host's tree early, for an empty one: it holds
 * nothing of the host's while it waits, and late there is less to detach. */
static void leave_host(const SandboxBase *base)
{
        const NewMount empty = {"tmpfs", {{"size", "4096"}}, SEALED};
        int stage = root_new_mount(&empty);

        if (stage < 0)
                report_failure_at(base, STAGE_NEW_MOUNT, (uint32_t) base->n_early);
        change_root(base, stage);
        root_close(stage);
}

/* Makes the early mounts while the host's proc and sysfs are still visible: in a user namespace the
 * kernel asks for that, so that nothing that is masked on the host comes to light here. */
void root_make_early(const SandboxBase *base, int early[EARLY_MOUNTS_MAX])
{
        for (size_t i = 0; i < base->n_early; i++) {
                const EarlyMount *mount = &base->early[i];
                early[i] = mount->fd >= 0 ? mount->fd : root_new_mount(&mount->new);
                if (early[i] < 0)
                        report_failure_at(base, STAGE_NEW_MOUNT, (uint32_t) i);
        }
}

void root_cover_early(const SandboxBase *base, const int *early)
{
        if (base->n_steps > 0) {
                int covers = root_make_covers();
                if (covers < 0)
                        report_failure(base, STAGE_MASK);
                walk(base, &(Stock){.early = early, .covers = covers}, base->steps, base->n_steps);
                root_close(covers);
        }
        if (base->leaves_host)
                leave_host(base);
}

/* Before Linux 6.15 only what is attached can be cloned: it lies on top of "/" meanwhile, where no
 * path leads. */
static int attach_covers(const SandboxBase *base)
{
        int covers = root_make_covers();

        if (covers < 0 ||
            syscall(SYS_move_mount, covers, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                report_failure(base, STAGE_MASK);
        return covers;
}

static void detach_covers(const SandboxBase *base, int covers)
{
        bool done = fchdir(covers) == 0 && syscall(SYS_umount2, ".", UMOUNT_DETACH) == 0;

        if (!done || chdir("/") < 0)
                report_failure(base, STAGE_MASK);
        root_close(covers);
}

/* After the pivot, links in the tree lead nowhere but into it. */
void root_enter(const SandboxBase *base, const int *early, const int *fds)
{
        const SandboxPlan *plan = base->plan;
        Own own = {.n = 0};
        Stock stock = {early,
                       fds,
                       early[base->dev],
                       -1,
                       base->n_early,
                       &own,
                       fds + plan->first_target + plan->n_targets};
        int root = plan->has_new_root ? root_new_mount(&plan->root) : fds[0];

        if (root < 0)
                report_failure(base, STAGE_ATTACH_ROOT);
        if (base->leaves_host)
                cover_root(base, root);
        else
                change_root(base, root);
        umask(0); /* what is made gets the mode that was said */
        if (plan->root_is_ours && !own_add(&own, root, plan->root_is_sealed))
                report_failure(base, STAGE_ATTACH_ROOT);
        if (plan->masks_without_dev)
                stock.covers = attach_covers(base);
        walk(base, &stock, plan->steps, plan->n_steps);
        if (stock.covers >= 0)
                detach_covers(base, stock.covers);
        if (!own_seal(&own))
                report_failure(base, STAGE_SEAL);
        /* a container that waits for its start must hold no directory */
        if (!plan->root_is_ours || !plan->root_is_sealed)
                root_close(root);
        for (size_t i = 0; i < plan->n_sources; i++)
                root_close(stock.sources[i]);
        /* closes the early mounts' fds: all fds that are kept have higher numbers */
        syscall(SYS_close_range, 0, SANDBOX_FD_BASE - 1, 0);
}
