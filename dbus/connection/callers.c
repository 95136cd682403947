#include "dbus/connection/callers.h"

#include <errno.h>
#include <string.h>

#include "service/cgroup/live/outside.h"
#include "service/util/bus-auto.h"
#include "service/util/envelope.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

#define TIMEOUT_USEC (20u * G_USEC_PER_SEC) /* a bus that has much to do; callers wait for 25 */

typedef struct Caller {
        Callers *callers;
        char *name;
        Credentials *credentials; /* NULL: the bus has not answered yet */
        sd_bus_slot *query;
        PeerWatch *watch;
} Caller;

struct Callers {
        sd_bus *bus;
        PeerWatches *watches;
        Credentials *peer;
        const CgroupTree *cgroups;
        CallersEvents events;
        GHashTable *known; /* unique name → Caller, owned; those that have left are not in it */
};

static void caller_free(void *data)
{
        Caller *caller = data;

        sd_bus_slot_unref(caller->query);
        peer_watch_free(caller->watch);
        credentials_free(caller->credentials);
        g_free(caller->name);
        g_free(caller);
}

Callers *callers_new(sd_bus *bus, PeerWatches *watches, const Credentials *peer,
                     const CgroupTree *cgroups)
{
        Callers *callers = g_new0(Callers, 1);

        callers->bus = bus;
        callers->watches = watches;
        callers->peer = peer ? credentials_copy(peer) : NULL;
        callers->cgroups = cgroups;
        callers->known = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, caller_free);
        return callers;
}

void callers_free(Callers *callers)
{
        if (!callers)
                return;
        credentials_free(callers->peer);
        g_hash_table_destroy(callers->known);
        g_free(callers);
}

void callers_listen(Callers *callers, const CallersEvents *events)
{
        callers->events = *events;
}

/* The process that has connected: by a pidfd (`fd`) from the bus that gives one, else by a number,
 * which may be another's by now. */
typedef struct Process {
        uint32_t pid;
        int fd; /* borrowed from the answer; -1: none */
} Process;

static pid_t process_of_pidfd(int fd)
{
        EnvelopeNote note;

        if (!envelope_read(fd, &note))
                note = envelope_note(fd);
        if (note.error != 0 || !note.is_pidfd)
                return 0;
        int inside = envelope_open(fd);
        pid_t pid = inside >= 0 ? proc_of_pidfd(inside) : 0;
        if (inside != fd)
                fd_close(inside);
        return pid;
}

/* Of whom nobody knows it, may be in a container. */
static bool is_inside(const CgroupTree *cgroups, const Process *process)
{
        pid_t pid = process->fd >= 0 ? process_of_pidfd(process->fd) : (pid_t) process->pid;

        return pid <= 0 || !cgroup_is_outside(cgroups, pid) ||
               (process->fd >= 0 && process_of_pidfd(process->fd) != pid);
}

/* The same start before and after, so what is told later of that number and start is told of the
 * process that the pidfd is of. */
static void find_process(const Process *process, Credentials *credentials)
{
        pid_t pid = process->fd >= 0 ? process_of_pidfd(process->fd) : (pid_t) process->pid;
        uint64_t start;

        if (pid <= 0 || !proc_start_time(pid, &start) ||
            (process->fd >= 0 && process_of_pidfd(process->fd) != pid))
                return;
        credentials->pid = pid;
        credentials->start_time = start;
        credentials->has_process_fd = process->fd >= 0;
}

/* Reads the a{sv} of GetConnectionCredentials. False without UnixUserID: then nobody is named. */
static bool parse(sd_bus_message *reply, Credentials *credentials, Process *process)
{
        bool has_uid = false;
        int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                const char *key;
                if ((r = sd_bus_message_read_basic(reply, 's', &key)) < 0)
                        break;
                if (strcmp(key, "UnixUserID") == 0) {
                        uint32_t uid;
                        r = sd_bus_message_read(reply, "v", "u", &uid);
                        has_uid = r >= 0 && uid != UINT32_MAX;
                        credentials->uid = uid;
                } else if (strcmp(key, "UnixGroupIDs") == 0) {
                        const void *groups;
                        size_t size;
                        if ((r = sd_bus_message_enter_container(reply, 'v', "au")) < 0 ||
                            (r = sd_bus_message_read_array(reply, 'u', &groups, &size)) < 0)
                                break;
                        credentials->n_groups = size / sizeof(gid_t);
                        credentials->groups = g_memdup2(groups, size);
                        r = sd_bus_message_exit_container(reply);
                } else if (strcmp(key, "ProcessID") == 0)
                        r = sd_bus_message_read(reply, "v", "u", &process->pid);
                else if (strcmp(key, "ProcessFD") == 0)
                        r = sd_bus_message_read(reply, "v", "h", &process->fd);
                else
                        r = sd_bus_message_skip(reply, "v");
                if (r < 0 || (r = sd_bus_message_exit_container(reply)) < 0)
                        break;
        }
        return r >= 0 && has_uid;
}

static void forget(Caller *caller)
{
        g_hash_table_remove(caller->callers->known, caller->name);
}

static void on_left(bool gone, void *data)
{
        Caller *caller = data;
        const CallersEvents *events = &caller->callers->events;

        if (events->left)
                events->left(caller->name, events->data);
        forget(caller);
}

static int on_answer(sd_bus_message *reply, void *data, sd_bus_error *error)
{
        Caller *caller = data;
        const CallersEvents *events = &caller->callers->events;
        g_autoptr(Credentials) credentials = g_new0(Credentials, 1);

        Process process = {.fd = -1};

        credentials->uid = (uid_t) -1;
        caller->query = sd_bus_slot_unref(caller->query);
        bool is_known =
                !sd_bus_message_is_method_error(reply, NULL) && parse(reply, credentials, &process);
        credentials->is_inside = is_known && is_inside(caller->callers->cgroups, &process);
        if (is_known)
                find_process(&process, credentials);
        caller->credentials = is_known ? g_steal_pointer(&credentials) : NULL;
        if (events->learned)
                events->learned(caller->name, caller->credentials, events->data);
        if (!is_known)
                forget(caller);
        return 0;
}

bool callers_ask(Callers *callers, const char *name)
{
        g_autoptr(sd_bus_message) call = NULL;

        if (g_hash_table_contains(callers->known, name))
                return true;
        Caller *caller = g_new0(Caller, 1);
        caller->callers = callers;
        caller->name = g_strdup(name);
        g_hash_table_insert(callers->known, caller->name, caller);
        caller->watch = peer_watch_new_sender(callers->watches, name, on_left, caller);
        int r = sd_bus_message_new_method_call(callers->bus, &call, "org.freedesktop.DBus",
                                               "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                               "GetConnectionCredentials");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", name);
        if (r >= 0)
                r = sd_bus_call_async(callers->bus, &caller->query, call, on_answer, caller,
                                      TIMEOUT_USEC);
        if (r < 0)
                forget(caller);
        return r >= 0;
}

const Credentials *callers_find(const Callers *callers, const char *name)
{
        const Caller *caller = g_hash_table_lookup(callers->known, name);

        return caller ? caller->credentials : NULL;
}

void callers_foreach(const Callers *callers,
                     void (*function)(const char *name, const Credentials *caller, void *data),
                     void *data)
{
        GHashTableIter iterator;
        void *value;

        if (callers->peer)
                function(NULL, callers->peer, data);
        g_hash_table_iter_init(&iterator, callers->known);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                const Caller *caller = value;
                if (caller->credentials)
                        function(caller->name, caller->credentials, data);
        }
}

const Credentials *callers_get(const Callers *callers, sd_bus_message *message, GError **error)
{
        const char *name = sd_bus_message_get_sender(message);

        if (callers->peer)
                return callers->peer;
        const Credentials *caller = name ? callers_find(callers, name) : NULL;
        if (!caller)
                error_set(error, RUNTIME_ERROR_ACCESS_DENIED,
                          "the bus does not say who the caller is");
        return caller;
}
