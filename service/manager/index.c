/* Containers that the OCI command line has made, for podman, containerd or a user, without a word
 * to the service: each is a file in the index (spec/index.h), and a row of the table as long as the
 * file is there. Nothing in the file is believed that the kernel does not say as well: the process
 * is held by a pidfd, has the start time of the file, and is in its cgroup.
 *
 * They are root's, and no record is kept of them: the next start reads the index again. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/cgroup/path/borrow.h"
#include "service/manager/internal.h"
#include "service/manager/named.h"
#include "service/spec/error.h"
#include "service/spec/index.h"
#include "service/util/fd.h"
#include "service/util/proc.h"
#include "service/util/watch.h"

#define ENTRIES_MAX     4096u
#define OCI_ID_SHORTEST 12u /* as podman shows them */

struct Index {
        Manager *manager;
        int directory, events;
        Watch *watch;
        GHashTable *slots; /* name of the file, owned → Slot */
};

/* -- a file -- */

static bool read_entry(int directory, const char *name, IndexEntry *ret, GError **error)
{
        g_autofree char *text = g_malloc(INDEX_FILE_MAX);
        struct stat status;
        autofd int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

        if (fd < 0 || fstat(fd, &status) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot be opened");
        if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || status.st_mode & 022)
                return error_set(error, RUNTIME_ERROR_FAILED,
                                 "is no file that belongs to the service's user alone");
        ssize_t n = read(fd, text, INDEX_FILE_MAX);
        if (n < 0 || n == (ssize_t) INDEX_FILE_MAX)
                return error_set(error, RUNTIME_ERROR_FAILED, "cannot be read, or is too large");
        text[n] = '\0';
        return index_entry_parse(text, ret, error);
}

/* -- the container -- */

static char **make_labels(const IndexEntry *entry)
{
        const char *const labels[] = {"oci.id", entry->id, "oci.root", entry->root, NULL};

        return g_strdupv((char **) labels);
}

/* Its name is the file's, and so the same to each service that comes; its serial only this one's.
 */
static ContainerInfo make_info(Manager *manager, const IndexEntry *entry)
{
        return (ContainerInfo){
                .id = g_strdup_printf("oci-%" G_GUINT64_FORMAT, entry->serial),
                .serial = manager->next_serial++,
                .owner = 0,
                .state = CONTAINER_CREATING,
                .pid = entry->pid,
                .start_time = entry->start_time,
                .created_usec = entry->created_usec,
                .started_usec = entry->started_usec,
                .memory_max = UINT64_MAX,
                .belongs_to = g_strdup(entry->belongs_to),
                .labels = make_labels(entry),
        };
}

static bool check_name(Manager *manager, const IndexEntry *entry, GError **error)
{
        g_autofree char *id = g_strdup_printf("oci-%" G_GUINT64_FORMAT, entry->serial);

        return !manager_find_slot(manager, 0, id) ||
               error_set(error, RUNTIME_ERROR_FAILED, "has the name of another, '%s'", id);
}

/* True without a pidfd: it has ended, and waits for its runtime to remove it. */
static bool check(Manager *manager, const IndexEntry *entry, ContainerAdoption *ret, GError **error)
{
        autofd int pidfd = (int) syscall(SYS_pidfd_open, entry->pid, 0);
        uint64_t start;
        Cgroup *cgroup;

        *ret = (ContainerAdoption){.pidfd = -1, .source = -1};
        /* the pidfd comes first: what is looked at afterwards is true of what it holds */
        if (pidfd < 0 || !proc_start_time(entry->pid, &start) || start != entry->start_time)
                return true;
        if (!cgroup_borrow(manager->options.cgroups, entry->pid,
                           (const char *const *) entry->directories, &cgroup, error))
                return false;
        if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0) {
                cgroup_free(cgroup);
                return true;
        }
        ret->pidfd = steal_fd(&pidfd);
        ret->cgroup = cgroup;
        return true;
}

static void end_unseen(ContainerInfo *info)
{
        info->state = CONTAINER_STOPPED;
        info->result = RESULT_UNKNOWN;
        info->exited_usec = (uint64_t) g_get_real_time();
        info->pid = 0;
}

static bool add(Index *index, const char *name, const IndexEntry *entry, GError **error)
{
        Manager *manager = index->manager;
        ContainerAdoption adoption;

        if (g_hash_table_size(index->slots) >= ENTRIES_MAX)
                return error_set(error, RUNTIME_ERROR_FAILED, "is one more than %u", ENTRIES_MAX);
        if (!check_name(manager, entry, error) || !check(manager, entry, &adoption, error))
                return false;
        ContainerInfo info = make_info(manager, entry);
        if (adoption.cgroup)
                info.control_group = g_strdup(cgroup_path(adoption.cgroup));
        else
                end_unseen(&info);
        Slot *slot = manager_add_slot(manager, &info, NULL);
        if (adoption.cgroup)
                container_adopt(slot->container, &adoption);
        g_hash_table_insert(index->slots, g_strdup(name), slot);
        slot->is_seen = true;
        manager->seen++;
        return true;
}

/* -- the directory -- */

static void drop(Index *index, const char *name)
{
        Slot *slot = g_hash_table_lookup(index->slots, name);

        if (!slot)
                return;
        g_hash_table_remove(index->slots, name);
        container_look_for_end(slot->container); /* it may have ended this moment */
        slot_drop(slot);
}

/* Of an id that was removed and given again, the file may be the new one's before the old one's end
 * was heard of. */
static bool is_of(const Slot *slot, const IndexEntry *entry)
{
        const ContainerInfo *info = container_info(slot->container);

        g_autofree char *id = g_strdup_printf("oci-%" G_GUINT64_FORMAT, entry->serial);

        return strcmp(info->id, id) == 0 && info->start_time == entry->start_time &&
               info->created_usec == entry->created_usec;
}

/* A name with a dot at its beginning is of a file that is being written. */
static void look_at(Index *index, const char *name, bool is_start)
{
        g_auto(IndexEntry) entry = {0};
        g_autoptr(GError) error = NULL;
        Slot *slot = g_hash_table_lookup(index->slots, name);

        if (name[0] == '.')
                return;
        bool is_read = read_entry(index->directory, name, &entry, &error);
        if (is_read && slot && !is_of(slot, &entry)) {
                drop(index, name);
                slot = NULL;
        }
        if (!is_read || (!slot && !add(index, name, &entry, &error))) {
                g_message("a container of the index is not shown: '%s' %s", name, error->message);
                return;
        }
        if (slot && entry.started_usec)
                container_tell_started(slot->container, entry.started_usec);
        slot = slot ? NULL : g_hash_table_lookup(index->slots, name);
        if (slot && !is_start)
                index->manager->events->added(slot->container, index->manager->data);
}

static void look_at_all(Index *index, bool is_start)
{
        autofd int fd = openat(index->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *directory = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;

        if (!directory)
                return;
        steal_fd(&fd);
        while ((entry = readdir(directory)))
                look_at(index, entry->d_name, is_start);
        closedir(directory);
}

static void drop_missing(Index *index)
{
        unsigned n;
        g_autofree gpointer *names = g_hash_table_get_keys_as_array(index->slots, &n);

        for (unsigned i = 0; i < n; i++) {
                g_autofree char *name = g_strdup(names[i]);
                if (faccessat(index->directory, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                        drop(index, name);
        }
}

static void handle(Index *index, const struct inotify_event *event)
{
        if (event->mask & IN_Q_OVERFLOW) {
                drop_missing(index);
                look_at_all(index, false);
        } else if (event->len > 0 && event->mask & (IN_DELETE | IN_MOVED_FROM))
                drop(index, event->name);
        else if (event->len > 0)
                look_at(index, event->name, false);
}

static void on_events(int fd, GIOCondition condition, void *data)
{
        _Alignas(struct inotify_event) char buffer[8192];
        ssize_t n = read(fd, buffer, sizeof buffer);

        for (ssize_t at = 0; at < n;) {
                const struct inotify_event *event = (const void *) (buffer + at);
                at += (ssize_t) (sizeof *event + event->len);
                handle(data, event);
        }
}

/* -- by the OCI's id -- */

Container *manager_find_named(Manager *manager, uid_t owner, const char *name)
{
        Container *found = manager_find(manager, owner, name);
        GHashTableIter iterator;
        unsigned n = 0, n_whole = 0;
        void *value;

        if (found || !manager->index || owner != 0)
                return found;
        g_hash_table_iter_init(&iterator, manager->index->slots);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                Container *container = ((Slot *) value)->container;
                const char *id = container_info(container)->labels[1];
                bool is_whole = strcmp(id, name) == 0;
                if (!is_whole &&
                    (n_whole || strlen(name) < OCI_ID_SHORTEST || !g_str_has_prefix(id, name)))
                        continue;
                n++;
                n_whole += is_whole;
                found = container;
        }
        return n_whole == 1 || (n_whole == 0 && n == 1) ? found : NULL;
}

/* -- life -- */

void index_close(Index *index)
{
        if (!index)
                return;
        watch_clear(&index->watch);
        fd_close(index->events);
        fd_close(index->directory);
        g_hash_table_destroy(index->slots);
        g_free(index);
}

static bool watch_directory(Index *index)
{
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", index->directory);

        index->events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        return index->events >= 0 &&
               inotify_add_watch(index->events, path,
                                 IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR) >= 0;
}

Index *index_open(Manager *manager)
{
        Index *index = g_new0(Index, 1);

        *index = (Index){.manager = manager, .events = -1};
        index->slots = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        (void) mkdirat(manager->options.state_dir, INDEX_DIRECTORY, 0700);
        index->directory = openat(manager->options.state_dir, INDEX_DIRECTORY,
                                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (index->directory < 0 || !watch_directory(index)) {
                g_warning("containers of the OCI command line are not shown: %s",
                          g_strerror(errno));
                fd_clear(&index->directory);
                index_close(index);
                return NULL;
        }
        look_at_all(index, true);
        index->watch = watch_new(index->events, G_IO_IN, on_events, index);
        return index;
}
