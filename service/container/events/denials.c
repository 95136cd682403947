#include "service/container/events/denials.h"

#include <limits.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "service/sandbox/verdict.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/watch.h"

typedef struct Listener {
        Denials *denials;
        int fd;
        Watch *watch; /* NULL: the answers of this period are used up */
} Listener;

typedef struct Count {
        char *name;
        uint64_t n, told;
} Count;

static void listener_free(void *data)
{
        Listener *listener = data;

        watch_clear(&listener->watch);
        fd_close(listener->fd);
        g_free(listener);
}

static void count_free(void *data)
{
        Count *count = data;

        g_free(count->name);
        g_free(count);
}

/* -- telling -- */

/* True: there is more to tell. */
static bool tell_some(Denials *denials, unsigned most)
{
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, denials->counts);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                Count *count = value;
                if (count->told == count->n)
                        continue;
                if (most-- == 0 || !denials->function(count->name, count->n, denials->data))
                        return true;
                count->told = count->n;
        }
        return false;
}

void denials_tell(Denials *denials)
{
        if (denials->counts)
                (void) tell_some(denials, UINT_MAX);
}

/* -- counting -- */

static void on_question(int fd, GIOCondition condition, void *data);

static gboolean on_period(void *data)
{
        Denials *denials = data;
        bool was_quiet = denials->answers == 0;

        denials->answers = 0;
        for (guint i = 0; i < denials->listeners->len; i++) {
                Listener *listener = denials->listeners->pdata[i];
                if (!listener->watch)
                        listener->watch = watch_new(listener->fd, G_IO_IN, on_question, listener);
        }
        if (tell_some(denials, DENIED_PER_SEC_MAX) || !was_quiet)
                return G_SOURCE_CONTINUE;
        denials->timer = 0;
        return G_SOURCE_REMOVE;
}

/* All numbers that have no name are one row. */
static Count *find_row(Denials *denials, int number)
{
        Count *row = g_hash_table_lookup(denials->counts, GINT_TO_POINTER(number));

        if (row)
                return row;
        char *name = verdict_call_name(number);
        if (!name && number != -1)
                return find_row(denials, -1);
        row = g_new0(Count, 1);
        row->name = name ? name : g_strdup("unknown");
        g_hash_table_insert(denials->counts, GINT_TO_POINTER(number), row);
        return row;
}

/* The first call is told at once, and what comes soon after it, together. */
static void count(Denials *denials, int number)
{
        find_row(denials, number)->n++;
        denials->answers++;
        if (denials->timer)
                return;
        denials->timer = g_timeout_add_seconds(1, on_period, denials);
        (void) tell_some(denials, DENIED_PER_SEC_MAX);
}

/* -- answering -- */

/* False: who asked has been killed meanwhile. Never "let it pass": the memory that the arguments
 * point to can change after anybody has looked at it. */
static bool answer(const Denials *denials, int fd, int *ret_number)
{
        /* a later kernel's are longer perhaps, and it wants them to be zero */
        union {
                char space[512];
                struct seccomp_notif question;
        } asked = {{0}};
        union {
                char space[512];
                struct seccomp_notif_resp answer;
        } said = {{0}};

        if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
                return false;
        *ret_number = asked.question.data.nr;
        said.answer.id = asked.question.id;
        said.answer.error = -verdict_errno(denials->program, &asked.question.data);
        (void) ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &said);
        return true;
}

/* Who makes more refused calls than there are answers waits for the next period. */
static void rest(Denials *denials)
{
        for (guint i = 0; i < denials->listeners->len; i++)
                watch_clear(&((Listener *) denials->listeners->pdata[i])->watch);
}

static void on_question(int fd, GIOCondition condition, void *data)
{
        Listener *listener = data;
        Denials *denials = listener->denials;
        int number;

        if (condition & (G_IO_HUP | G_IO_ERR)) { /* nobody has that filter any more */
                g_ptr_array_remove_fast(denials->listeners, listener);
                return;
        }
        if (!answer(denials, fd, &number))
                return;
        count(denials, number);
        if (denials->answers >= DENIED_ANSWERS_MAX)
                rest(denials);
}

void denials_listen(Denials *denials, const Rights *rights, int fd)
{
        g_autoptr(GError) error = NULL;

        if (!denials->program &&
            !seccomp_program_new(seccomp_variant(rights->filter), rights->filter_capabilities,
                                 &denials->program, &error)) {
                g_warning("refused system calls get ENOSYS: %s", error->message);
                fd_close(fd);
                return;
        }
        if (!denials->listeners) {
                denials->listeners = g_ptr_array_new_with_free_func(listener_free);
                denials->counts = g_hash_table_new_full(NULL, NULL, NULL, count_free);
        }
        /* one for each filter that somebody still has: of Execs whose children stay there may be
         * any number, and each keeps a descriptor of the service's */
        if (denials->listeners->len > EXECS_MAX) {
                g_warning("too many processes that joined stay: refused system calls get ENOSYS");
                fd_close(fd);
                return;
        }
        Listener *listener = g_new0(Listener, 1);
        *listener = (Listener){.denials = denials, .fd = fd};
        listener->watch = watch_new(fd, G_IO_IN, on_question, listener);
        g_ptr_array_add(denials->listeners, listener);
}

void denials_end(Denials *denials)
{
        if (denials->timer)
                g_source_remove(denials->timer);
        denials->timer = 0;
        g_clear_pointer(&denials->listeners, g_ptr_array_unref);
        g_clear_pointer(&denials->counts, g_hash_table_unref);
        g_clear_pointer(&denials->program, seccomp_program_free);
}
