#include "service/sandbox/child/oci/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/sandbox/child/oci/place.h"
#include "service/sandbox/child/report.h"
#include "service/sandbox/child/root.h"
#include "service/sandbox/child/steps.h"

/* sys/mount.h clashes with linux/mount.h */
#define UMOUNT_DETACH 2
#define MS_MOVE_FLAG  0x2000ul
#define MS_REC_FLAG   0x4000ul

#define SEALED (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static bool change(int mount, unsigned flags, const struct mount_attr *attributes)
{
        return (!attributes->attr_set && !attributes->attr_clr && !attributes->propagation) ||
               syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | flags, attributes,
                       sizeof *attributes) == 0;
}

static bool change_all(int mount, const OciStep *step)
{
        const struct mount_attr own = {.attr_set = step->set, .attr_clr = step->clear},
                                below = {.attr_set = step->set_below,
                                         .attr_clr = step->clear_below},
                                propagation = {.propagation = step->propagation};

        return change(mount, 0, &own) && change(mount, AT_RECURSIVE, &below) &&
               change(mount, step->is_propagation_below ? AT_RECURSIVE : 0, &propagation);
}

static bool move(int mount, int target)
{
        return syscall(SYS_move_mount, mount, "", target, "",
                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

/* -- the kinds of steps -- */

static bool configure(int fs, const OciStep *step)
{
        if (step->source &&
            syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", step->source, 0) < 0)
                return false;
        for (size_t i = 0; i < step->n_options; i++) {
                const OciOption *option = &step->options[i];
                if (syscall(SYS_fsconfig, fs,
                            option->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option->key,
                            option->value, 0) < 0)
                        return false;
        }
        return true;
}

static int make_mount(const OciStep *step)
{
        int fs = (int) syscall(SYS_fsopen, step->type, FSOPEN_CLOEXEC), mount = -1;

        if (fs < 0)
                return -1;
        if (configure(fs, step) &&
            syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
                mount = (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
        root_close(fs);
        return mount;
}

static bool attach(OciTree *tree, const OciStep *step)
{
        int mount = step->kind == OCI_STEP_TREE ? step->fd : make_mount(step), target;
        const struct mount_attr propagation = {.propagation = step->propagation};
        const unsigned below = step->is_propagation_below ? AT_RECURSIVE : 0;
        bool done;

        /* what came as a tree has its attributes already, by who had the right to set them */
        if (mount < 0 || (step->kind == OCI_STEP_NEW && !change_all(mount, step)))
                return false;
        target = place_open(tree->root, step->target,
                            step->is_directory ? PLACE_DIRECTORY : PLACE_FILE, step->is_plain);
        if (target < 0)
                return false;
        /* again: what is attached to a shared mount becomes shared */
        done = move(mount, target) && change(mount, below, &propagation);
        root_close(target);
        if (step->seals && tree->n_seals < OCI_SEALS_MAX)
                tree->seals[tree->n_seals++] = mount;
        else
                root_close(mount);
        return done;
}

/* The target has to be the root of a mount: the kernel refuses another. */
static bool remount(const OciTree *tree, const OciStep *step)
{
        int target = place_open(tree->root, step->target, PLACE_THERE, false), fs;
        bool done = true;

        if (target < 0)
                return false;
        if (step->n_options > 0) {
                fs = (int) syscall(SYS_fspick, target, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
                done = fs >= 0 && configure(fs, step) &&
                       syscall(SYS_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) == 0;
                root_close(fs);
        }
        done = done && change_all(target, step);
        root_close(target);
        return done;
}

static bool is_same_node(int dir, const char *name, const OciStep *step)
{
        int fd = (int) syscall(SYS_openat, dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat status;
        bool done;

        if (fd < 0)
                return false;
        done = fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == (step->mode & S_IFMT) &&
               status.st_rdev == step->device;
        root_close(fd);
        errno = EEXIST;
        return done;
}

static bool make_node(const OciTree *tree, const OciStep *step)
{
        char name[NAME_MAX + 1];
        int dir = place_open_parent(tree->root, step->target, name), target;
        bool done;

        if (dir < 0)
                return false;
        if (step->fd >= 0) {
                target = place_open(dir, name, PLACE_FILE, true);
                done = target >= 0 && move(step->fd, target);
                root_close(target);
                root_close(step->fd);
        } else if (syscall(SYS_mknodat, dir, name, step->mode, step->device) == 0) {
                done = (step->uid == 0 && step->gid == 0) ||
                       syscall(SYS_fchownat, dir, name, step->uid, step->gid,
                               AT_SYMLINK_NOFOLLOW) == 0;
        } else {
                done = errno == EEXIST && is_same_node(dir, name, step);
        }
        root_close(dir);
        return done;
}

/* What is there already stays: the tree may have such links of its own. */
static bool make_link(const OciTree *tree, const OciStep *step)
{
        char name[NAME_MAX + 1];
        int dir = place_open_parent(tree->root, step->target, name);
        bool done;

        if (dir < 0)
                return false;
        done = syscall(SYS_symlinkat, step->text, dir, name) == 0 || errno == EEXIST;
        root_close(dir);
        return done;
}

/* Never by a file of the container's tree, which could be anything by now (CVE-2025-31133). */
static bool cover(const OciTree *tree, const OciStep *step)
{
        const struct mount_attr sealed = {.attr_set = SEALED & ~(uint64_t) MOUNT_ATTR_NODEV},
                                read_only = {.attr_set = MOUNT_ATTR_RDONLY};
        const unsigned clone = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
        int target = place_open(tree->root, step->target, PLACE_THERE, false), mount;
        struct stat status;
        bool done;

        if (target < 0)
                return errno == ENOENT || errno == ENOTDIR;
        if (fstat(target, &status) < 0)
                return false;
        mount = step->kind == OCI_STEP_READ_ONLY
                        ? (int) syscall(SYS_open_tree, target, "",
                                        clone | AT_EMPTY_PATH | AT_RECURSIVE)
                        : (int) syscall(SYS_open_tree, tree->covers,
                                        S_ISDIR(status.st_mode) ? "directory" : "file", clone);
        done = mount >= 0 &&
               change(mount, step->kind == OCI_STEP_READ_ONLY ? AT_RECURSIVE : 0,
                      step->kind == OCI_STEP_READ_ONLY ? &read_only : &sealed) &&
               move(mount, target);
        root_close(mount);
        root_close(target);
        return done;
}

static bool walk_step(OciTree *tree, const OciStep *step)
{
        switch (step->kind) {
        case OCI_STEP_TREE:
        case OCI_STEP_NEW:
                return attach(tree, step);
        case OCI_STEP_REMOUNT:
                return remount(tree, step);
        case OCI_STEP_NODE:
                return make_node(tree, step);
        case OCI_STEP_LINK:
                return make_link(tree, step);
        case OCI_STEP_MASK:
        case OCI_STEP_READ_ONLY:
                return cover(tree, step);
        }
        errno = EINVAL;
        return false;
}

/* -- the root -- */

static int attach_at(const char *path, int mount)
{
        return (int) syscall(SYS_move_mount, mount, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

/* The root stands where the bundle has it until the pivot, for hooks look there; where the
 * container's users have no way to that place, on "/". Below it, out of everybody's sight, lies
 * what covers paths: only what is attached can be cloned. */
void oci_tree_attach(const SandboxBase *base, const OciPlan *plan, OciTree *tree)
{
        const char *place = plan->root_path;

        *tree = (OciTree){.covers = root_make_covers(), .root = plan->root};
        if (tree->covers < 0)
                report_failure(base, STAGE_ATTACH_ROOT);
        if (attach_at(place, tree->covers) < 0 &&
            (errno != EACCES || attach_at(place = "/", tree->covers) < 0))
                report_failure(base, STAGE_ATTACH_ROOT);
        if (attach_at(place, tree->root) < 0)
                report_failure(base, STAGE_ATTACH_ROOT);
        for (size_t i = 0; i < plan->n_steps; i++)
                if (!walk_step(tree, &plan->steps[i]))
                        report_failure_at(base, STAGE_MOUNT, (uint32_t) i);
}

/* A root in memory cannot be left: its mount is moved over it (--no-pivot). The host's proc and sys
 * would stay below, whole, and so let whoever makes a user namespace mount others that nothing
 * covers. What is no mount there is none to see either (EINVAL). */
static bool move_root(void)
{
        static const char *const hosts[] = {"/proc", "/sys"};

        for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
                while (syscall(SYS_umount2, hosts[i], UMOUNT_DETACH) == 0)
                        ;
        return syscall(SYS_mount, ".", "/", NULL, MS_MOVE_FLAG, NULL) == 0 && chroot(".") == 0 &&
               chdir("/") == 0;
}

void oci_tree_enter(const SandboxBase *base, const OciPlan *plan, const OciTree *tree)
{
        const struct mount_attr propagation = {.propagation =
                                                       plan->root_propagation & ~MS_REC_FLAG};

        if (fchdir(tree->root) < 0)
                report_failure(base, STAGE_ATTACH_ROOT);
        /* see root.c: afterwards "." is the old root, on top of the new one */
        if (plan->no_pivot ? !move_root() : syscall(SYS_pivot_root, ".", ".") < 0)
                report_failure(base, STAGE_PIVOT_ROOT);
        if (!plan->no_pivot && (syscall(SYS_umount2, ".", UMOUNT_DETACH) < 0 || chdir("/") < 0))
                report_failure(base, STAGE_DETACH_OLD_ROOT);
        if (!change(tree->root, plan->root_propagation & MS_REC_FLAG ? AT_RECURSIVE : 0,
                    &propagation))
                report_failure(base, STAGE_PROPAGATION);
}

/* /dev/console is the terminal that is stdin by now, cloned from the container's devpts; whatever
 * the tree had there is covered, and no link leads to it (CVE-2025-52565). */
void oci_tree_open_terminal(const SandboxBase *base, const OciPlan *plan, const OciTree *tree,
                            int *ret_master)
{
        int pts = place_open(tree->root, "dev/pts", PLACE_THERE, true), mount, target;

        if (pts < 0 || (*ret_master = steps_open_terminal(&plan->process.attributes, pts,
                                                          plan->has_console)) < 0)
                report_failure(base, STAGE_TERMINAL);
        root_close(pts);
        if (!plan->has_console)
                return;
        mount = (int) syscall(SYS_open_tree, STDIN_FILENO, "",
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        target = place_open(tree->root, "dev/console", PLACE_FILE, true);
        if (mount < 0 || target < 0 || !move(mount, target))
                report_failure(base, STAGE_TERMINAL);
        root_close(target);
        root_close(mount);
}

/* After the hooks, which may mount, and need a root that can be written; before the pivot, with
 * which the covers are gone. */
void oci_tree_cover(const SandboxBase *base, const OciPlan *plan, OciTree *tree)
{
        const struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};

        for (size_t i = 0; i < plan->n_covers; i++)
                if (!walk_step(tree, &plan->covers[i]))
                        report_failure_at(base, STAGE_MASK, (uint32_t) i);
        for (size_t i = 0; i < tree->n_seals; i++)
                if (!change(tree->seals[i], 0, &read_only))
                        report_failure(base, STAGE_SEAL);
        if (plan->root_read_only && !change(tree->root, 0, &read_only))
                report_failure(base, STAGE_SEAL);
}
