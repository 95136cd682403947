#include "service/rootfs/id-map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

struct IdMap {
        IdRanges *ranges;
        IdRange *range;  /* NULL: self or host */
        IdRange *unseen; /* self, keep-id: not mapped, but one of its ids owns the user namespace */
        IdRange copy;    /* id_map_copy(): `range` points here, and belongs to no `ranges` */
        bool is_host;
        uid_t uid;
        gid_t gid;
        uid_t first_uid; /* what `uid` and `gid` are inside, where there is no range */
        gid_t first_gid;
};

gid_t id_map_group(const Credentials *owner, gid_t tree_gid)
{
        if (owner->uid == 0)
                return 0;
        if (credentials_has_group(owner, tree_gid))
                return tree_gid;
        return owner->n_groups ? owner->groups[0] : (gid_t) 65534;
}

void id_map_settle(IdMap *map, const Credentials *owner, gid_t tree_gid)
{
        map->uid = owner->uid;
        map->gid = id_map_group(owner, tree_gid);
}

bool id_map_prepare(IdRanges *ranges, uid_t uid, gid_t gid, IdMap **ret, GError **error)
{
        const Credentials owner = {.uid = uid, .n_groups = 1, .groups = &gid};

        if (!id_ranges_has_plenty(ranges, uid))
                return error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                                 "there are too few user ids to prepare anything (IdRangeCount)");
        return id_map_new(ranges, USER_NAMESPACE_AUTO, &owner, gid, ret, error);
}

bool id_map_new(IdRanges *ranges, UserNamespaceMode mode, const Credentials *owner, gid_t tree_gid,
                IdMap **ret, GError **error)
{
        g_autofree IdMap *map = g_new0(IdMap, 1);

        map->ranges = ranges;
        map->is_host = mode == USER_NAMESPACE_HOST;
        id_map_settle(map, owner, tree_gid);
        if (mode == USER_NAMESPACE_AUTO ||
            (mode != USER_NAMESPACE_HOST && id_ranges_has_any(ranges))) {
                IdRange *range = id_ranges_take(ranges, map->uid, map->gid, error);
                if (!range)
                        return false;
                *(mode == USER_NAMESPACE_AUTO ? &map->range : &map->unseen) = range;
        }
        *ret = g_steal_pointer(&map);
        return true;
}

bool id_map_adopt(IdRanges *ranges, uint32_t base, uid_t owner, bool is_mapped, IdMap **ret,
                  GError **error)
{
        g_autofree IdMap *map = g_new0(IdMap, 1);

        map->ranges = ranges;
        if (base != 0) {
                IdRange *range = id_ranges_take_at(ranges, base, owner, error);
                if (!range)
                        return false;
                *(is_mapped ? &map->range : &map->unseen) = range;
                map->uid = owner;
                map->gid = (gid_t) 65534; /* nobody has recorded which */
        }
        *ret = g_steal_pointer(&map);
        return true;
}

IdMap *id_map_copy(uint32_t base, uid_t uid, gid_t gid)
{
        IdMap *map = g_new0(IdMap, 1);

        map->copy = (IdRange){.base = base, .owner = uid, .mount_namespace = -1};
        map->range = &map->copy;
        map->uid = uid;
        map->gid = gid;
        return map;
}

void id_map_keep(IdMap *map, const Credentials *owner, uid_t uid, gid_t gid)
{
        map->gid = id_map_primary_group(owner);
        map->first_uid = uid;
        map->first_gid = gid;
}

uid_t id_map_first_uid(const IdMap *map)
{
        return map->first_uid;
}

gid_t id_map_first_gid(const IdMap *map)
{
        return map->first_gid;
}

static const IdRange *range_of(const IdMap *map)
{
        return map->range ? map->range : map->unseen;
}

uint32_t id_map_base(const IdMap *map)
{
        return range_of(map) ? range_of(map)->base : 0;
}

void id_map_free(IdMap *map)
{
        if (!map)
                return;
        if (map->range == &map->copy)
                fd_close(map->copy.mount_namespace);
        else if (map->range)
                id_ranges_give_back(map->ranges, map->range);
        if (map->unseen)
                id_ranges_give_back(map->ranges, map->unseen);
        g_free(map);
}

bool id_map_shows_root(const IdMap *map)
{
        return map->uid == 0 || map->is_host;
}

uint32_t id_map_size(const IdMap *map)
{
        return map->is_host ? 0 : map->range ? ID_RANGE_SIZE : 1;
}

/* The last id, which no image has a user for: as 16 bits it would be -1. */
uid_t id_map_namespace_owner(const IdMap *map)
{
        const IdRange *range = range_of(map);

        return range ? range->base + ID_RANGE_SIZE - 1 : 0;
}

uid_t id_map_root_uid(const IdMap *map)
{
        return map->is_host ? 0 : map->range ? map->range->base : map->uid;
}

gid_t id_map_root_gid(const IdMap *map)
{
        return map->is_host ? 0 : map->range ? map->range->base : map->gid;
}

bool id_map_allows_set_groups(const IdMap *map)
{
        return map->range || map->is_host;
}

bool id_map_has_gid(const IdMap *map, gid_t gid)
{
        return map->is_host || (gid >= map->first_gid && gid - map->first_gid < id_map_size(map));
}

static bool write_maps(pid_t pid, const char *uids, const char *gids, bool deny_groups,
                       GError **error)
{
        char path[64];
        int r;

        snprintf(path, sizeof path, "/proc/%d", (int) pid);
        autofd int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (proc < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno, "cannot open '%s'",
                                       path);
        if (deny_groups && (r = fd_write_file_at(proc, "setgroups", "deny")) < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, -r,
                                       "cannot deny setgroups in the new user namespace");
        if ((r = fd_write_file_at(proc, "uid_map", uids)) < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, -r,
                                       "cannot map user ids '%s'", uids);
        if ((r = fd_write_file_at(proc, "gid_map", gids)) < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, -r,
                                       "cannot map group ids '%s'", gids);
        return true;
}

bool id_map_apply(const IdMap *map, pid_t pid, GError **error)
{
        g_autofree char *uids = NULL, *gids = NULL;

        if (map->is_host)
                return true;
        if (map->range) {
                uids = g_strdup_printf("0 %u %u", map->range->base, ID_RANGE_SIZE);
                return write_maps(pid, uids, uids, false, error);
        }
        uids = g_strdup_printf("%u %u 1", map->first_uid, map->uid);
        gids = g_strdup_printf("%u %u 1", map->first_gid, map->gid);
        return write_maps(pid, uids, gids, true, error);
}

/* The name of a user, NULL if there is none; owned. Reads /etc/passwd itself, not through NSS: a
 * directory server that never answers must not stop the service. */
static char *read_name(uid_t uid, gid_t *ret_gid)
{
        g_autofree char *passwd = NULL;

        if (!g_file_get_contents("/etc/passwd", &passwd, NULL, NULL))
                return NULL;
        g_auto(GStrv) lines = g_strsplit(passwd, "\n", -1);
        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, ":", 5);
                guint64 value, group;
                if (g_strv_length(fields) == 5 &&
                    g_ascii_string_to_unsigned(fields[2], 10, 0, UINT32_MAX, &value, NULL) &&
                    value == uid &&
                    g_ascii_string_to_unsigned(fields[3], 10, 0, UINT32_MAX, &group, NULL)) {
                        *ret_gid = (gid_t) group;
                        return g_strdup(fields[0]);
                }
        }
        return NULL;
}

gid_t id_map_primary_group(const Credentials *owner)
{
        gid_t group = (gid_t) -1;
        g_autofree char *name = owner->has_primary ? NULL : read_name(owner->uid, &group);

        return id_map_group(owner, owner->has_primary ? owner->primary : name ? group : (gid_t) -1);
}

bool id_map_knows_primary_group(const Credentials *owner)
{
        gid_t group;
        g_autofree char *name = NULL;

        return owner->has_primary || owner->uid == 0 || owner->n_groups < 2 ||
               (name = read_name(owner->uid, &group));
}

/* Subordinate ids of `uid` in a file of /etc/subuid's form: the first line with its name or number.
 */
static void read_subordinate(const char *path, uid_t uid, uint32_t *ret_start, uint32_t *ret_count)
{
        g_autofree char *text = NULL, *name = NULL;
        char number[16];
        gid_t group;

        name = read_name(uid, &group);
        if (!g_file_get_contents(path, &text, NULL, NULL))
                return;
        snprintf(number, sizeof number, "%u", uid);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, ":", 3);
                guint64 start, count;
                if (g_strv_length(fields) != 3 ||
                    (g_strcmp0(fields[0], name) != 0 && strcmp(fields[0], number) != 0) ||
                    !g_ascii_string_to_unsigned(g_strstrip(fields[1]), 10, 1, INT32_MAX, &start,
                                                NULL) ||
                    !g_ascii_string_to_unsigned(g_strstrip(fields[2]), 10, 1, INT32_MAX, &count,
                                                NULL))
                        continue;
                *ret_start = (uint32_t) start;
                *ret_count = (uint32_t) MIN(count, ID_RANGE_SIZE - 1);
                return;
        }
}

/* The map of a mount: it shows the owner's own files as container root's, those of its subordinate
 * ids as 1's and up. */
static char *mount_map(const IdRange *range, uint32_t own, const char *subordinate_file, uid_t uid)
{
        uint32_t start = 0, count = 0;

        read_subordinate(subordinate_file, uid, &start, &count);
        if (count == 0 || (own >= start && own - start < count))
                return g_strdup_printf("%u %u 1", own, range->base);
        return g_strdup_printf("%u %u 1\n%u %u %u", own, range->base, start, range->base + 1,
                               count);
}

/* Changes whenever a file changes that mount_map() reads: an id taken away from a user must leave
 * its maps. */
static uint64_t mount_stamp(void)
{
        static const char *const files[] = {"/etc/passwd", "/etc/subuid", "/etc/subgid"};
        uint64_t stamp = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                struct stat status = {0};
                (void) !stat(files[i], &status); /* a missing file counts as an empty one */
                const uint64_t facts[] = {status.st_dev, status.st_ino, (uint64_t) status.st_size,
                                          (uint64_t) status.st_ctim.tv_sec,
                                          (uint64_t) status.st_ctim.tv_nsec};
                for (size_t k = 0; k < G_N_ELEMENTS(facts); k++)
                        stamp = (stamp ^ facts[k]) * UINT64_C(1099511628211); /* FNV */
        }
        return stamp;
}

/* A process that only holds a new user namespace until its maps are written and an fd is opened. */
static bool make_mount_namespace(const IdMap *map, int *ret_fd, GError **error)
{
        struct clone_args args = {.flags = CLONE_NEWUSER | CLONE_PIDFD, .exit_signal = SIGCHLD};
        int pidfd = -1;
        char path[64];
        pid_t service = getpid();
        bool done;

        args.pidfd = (uint64_t) (uintptr_t) &pidfd;
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid < 0)
                return error_set_errno(error,
                                       errno == ENOSPC || errno == EAGAIN
                                               ? RUNTIME_ERROR_LIMITS_EXCEEDED
                                               : RUNTIME_ERROR_SETUP_FAILED,
                                       errno, "cannot make a user namespace");
        if (pid == 0) {
                proc_detach(service, NULL, 0);
                for (;;)
                        syscall(SYS_pause);
        }
        g_autofree char *uids = mount_map(map->range, map->uid, "/etc/subuid", map->uid);
        g_autofree char *gids = mount_map(map->range, map->gid, "/etc/subgid", map->uid);
        done = write_maps(pid, uids, gids, false, error);
        if (done) {
                snprintf(path, sizeof path, "/proc/%d/ns/user", (int) pid);
                *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
                if (*ret_fd < 0)
                        done = error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                               "cannot open the user namespace '%s'", path);
        }
        /* the child runs nothing but pause(), so its end is certain and near */
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        while (waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED) < 0 && errno == EINTR)
                ;
        fd_close(pidfd);
        return done;
}

bool id_map_is_own(const Credentials *owner, uid_t uid)
{
        uint32_t start = 0, count = 0;

        if (owner->uid == 0 || owner->uid == uid)
                return true;
        read_subordinate("/etc/subuid", owner->uid, &start, &count);
        return uid >= start && uid - start < count;
}

bool id_map_open_host_namespace(const IdMap *map, pid_t pid, int *ret_fd, GError **error)
{
        char path[64];
        int fd;

        snprintf(path, sizeof path, "/proc/%d/ns/user", (int) pid);
        fd = map->range ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (map->range && fd < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "cannot open the container's user namespace");
        *ret_fd = fd;
        return true;
}

bool id_map_needs_mount_namespace(const IdMap *map, uint64_t *ret_stamp)
{
        const IdRange *range = map->range;

        if (!range || map->uid == 0)
                return false;
        *ret_stamp = mount_stamp();
        return range->mount_namespace < 0 || range->mount_gid != map->gid ||
               range->mount_stamp != *ret_stamp;
}

void id_map_keep_mount_namespace(IdMap *map, int fd, uint64_t stamp)
{
        fd_clear(&map->range->mount_namespace);
        map->range->mount_namespace = fd;
        map->range->mount_gid = map->gid;
        map->range->mount_stamp = stamp;
}

bool id_map_open_mount_namespace(IdMap *map, pid_t pid, int *ret_fd, GError **error)
{
        IdRange *range = map->range;
        uint64_t stamp;

        if (!range || map->uid == 0)
                return id_map_open_host_namespace(map, pid, ret_fd, error);
        if (id_map_needs_mount_namespace(map, &stamp)) {
                int made = -1;
                if (!make_mount_namespace(map, &made, error))
                        return false;
                id_map_keep_mount_namespace(map, made, stamp);
        }
        int fd = fcntl(range->mount_namespace, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot copy a user namespace");
        *ret_fd = fd;
        return true;
}
