#include "dbus/connection/intake.h"

#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "dbus/connection/call-queue.h"
#include "dbus/connection/error-map.h"
#include "dbus/connection/message-head.h"
#include "service/spec/limits.h"
#include "service/util/bus-auto.h"

#define TURN_MESSAGES 64u    /* that are taken in a turn: about a millisecond */
#define TURNS_MAX     64u    /* in which nothing but messages is taken, while more lie there */
#define SKIP_MAX      65536u /* bytes that are skipped at a time */
#define UNSENT_MAX    16u    /* answers that the bus has not taken yet */
#define HEAD_MAX      512u /* of a message that tell what it brings: most heads are half as long */

struct Intake {
        IntakeOptions options;
        sd_bus_slot *filter;
        CallQueue *queue;
        uint64_t n_calls;
        size_t fd_weight;
        bool is_at_head;        /* it is sure that the next message begins where the socket does */
        size_t next_size;       /* what that message weighs; 0: not known */
        unsigned n_turns;       /* in which nothing but messages was taken */
        uint64_t step_began;    /* microseconds, monotonic */
        sd_bus_message *let_in; /* owned: on its way to its handler; NULL once it is there */
        uid_t let_in_uid;
};

static uint64_t now_usec(void)
{
        return (uint64_t) g_get_monotonic_time();
}

static int set_full(sd_bus_error *error)
{
        return sd_bus_error_set_const(error, error_name(RUNTIME_ERROR_BUSY),
                                      "too many calls of yours wait to be served");
}

static void set_unknown(GError **error)
{
        error_set(error, RUNTIME_ERROR_ACCESS_DENIED, "the bus does not say who the caller is");
}

/* -- calls that come in -- */

/* What is refused, sd-bus answers with `error`, unless no answer is wanted. */
static int take(Intake *intake, sd_bus_message *message, sd_bus_error *ret_error)
{
        Callers *callers = intake->options.callers;
        const char *sender = sd_bus_message_get_sender(message);
        g_autoptr(GError) error = NULL;

        if (!sender || sender[0] != ':' || !callers_ask(callers, sender)) {
                set_unknown(&error);
                return error_map_set(ret_error, g_steal_pointer(&error));
        }
        return call_queue_push(intake->queue, message, callers_find(callers, sender),
                               intake->next_size, now_usec() - intake->step_began)
                       ? 1
                       : set_full(ret_error);
}

static void tell_learned(Intake *intake, const char *name, const Credentials *caller)
{
        if (intake->options.senders.learned)
                intake->options.senders.learned(name, caller);
}

/* Sees every message before its handler does. */
static int on_message(sd_bus_message *message, void *data, sd_bus_error *error)
{
        Intake *intake = data;
        int r = 0;

        if (message == intake->let_in) {
                intake->let_in = sd_bus_message_unref(intake->let_in);
                return 0;
        }
        if (sd_bus_message_is_method_call(message, NULL, NULL) > 0) {
                intake->n_calls++;
                /* sd-bus looks up every prefix of a path: 30,000 elements take 4 s, in which
                 * nobody else is served */
                if (strlen(sd_bus_message_get_path(message)) > OBJECT_PATH_MAX) {
                        r = sd_bus_error_set(error, SD_BUS_ERROR_UNKNOWN_OBJECT, "Unknown object.");
                        tell_learned(intake, sd_bus_message_get_sender(message), NULL);
                } else if (!intake->options.is_private)
                        r = take(intake, message, error);
                activity_tell(&intake->options.activity);
        }
        intake->next_size = 0;
        intake->is_at_head = true;
        return r;
}

/* -- who it was, and that it left -- */

static void tell_idleness(Intake *intake)
{
        if (intake_is_idle(intake))
                activity_tell(&intake->options.activity);
}

static void refuse_full(sd_bus_message *message, void *data)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;

        set_full(&error);
        sd_bus_reply_method_error(message, &error);
}

static void refuse(sd_bus_message *message, void *error)
{
        error_map_reply(message, error);
}

static void on_learned(const char *name, const Credentials *caller, void *data)
{
        Intake *intake = data;
        g_autoptr(GError) error = NULL;

        tell_learned(intake, name, caller);
        if (caller)
                call_queue_meet(intake->queue, name, caller, refuse_full, NULL);
        else {
                set_unknown(&error);
                call_queue_drop(intake->queue, name, refuse, error);
        }
        tell_idleness(intake);
}

static void on_left(const char *name, void *data)
{
        Intake *intake = data;

        tell_learned(intake, name, NULL);
        call_queue_drop(intake->queue, name, NULL, NULL);
        tell_idleness(intake);
}

void intake_cancel(Intake *intake, const GError *error)
{
        call_queue_drop_all(intake->queue, refuse, (void *) error);
}

/* -- a turn of the loop -- */

static ssize_t look(Intake *intake, uint8_t *data, size_t size)
{
        return recv(sd_bus_get_fd(intake->options.bus), data, size, MSG_PEEK | MSG_DONTWAIT);
}

/* A call that would be refused, and wants no answer. */
static bool is_surplus(Intake *intake, const MessageHead *head)
{
        const Credentials *caller = callers_find(intake->options.callers, head->sender);

        return head->type == SD_BUS_MESSAGE_METHOD_CALL && !head->wants_reply && head->n_fds == 0 &&
               caller && call_queue_is_full(intake->queue, caller->uid);
}

/* Takes such calls out of the socket before they become messages, many at once: a user's flood
 * comes as fast as the bus can pass it on, and all else that the bus has for us comes behind it. */
static void skip_surplus(Intake *intake)
{
        static uint8_t data[SKIP_MAX];
        MessageHead head;
        ssize_t n = look(intake, data, sizeof data), skipped = 0;

        while (skipped < n &&
               message_head_read(data + skipped, (size_t) (n - skipped), SPAWN_FDS_MAX, &head) &&
               head.size <= (size_t) (n - skipped) && is_surplus(intake, &head)) {
                skipped += (ssize_t) head.size;
                intake->n_calls++;
        }
        while (skipped > 0) {
                n = recv(sd_bus_get_fd(intake->options.bus), data, (size_t) skipped, MSG_DONTWAIT);
                if (n <= 0)
                        break; /* the end of the connection, which sd-bus will meet */
                skipped -= n;
        }
}

/* `n`: how much of it was seen. Who hides the sender beyond HEAD_MAX, calls no object of ours. */
static void tell_next(Intake *intake, const MessageHead *head, size_t n)
{
        const IntakeSenders *senders = &intake->options.senders;
        const char *name = *head->sender || n < HEAD_MAX ? head->sender : NULL;

        if (senders->next)
                senders->next(name, callers_find(intake->options.callers, head->sender),
                              head->n_fds);
}

/* How much of the next message lies in the socket already. */
static size_t available(Intake *intake)
{
        int n;

        return ioctl(sd_bus_get_fd(intake->options.bus), SIOCINQ, &n) < 0 ? 0 : (size_t) n;
}

/* sd-bus reads no byte beyond the message that it makes. So behind a message that lay there whole,
 * and behind each one that we are shown, the head of the next one lies in the socket. A descriptor
 * weighs as much as what it takes for all that waits to hold a quarter of those that the service
 * may have. False: nothing lies there. */
static bool look_ahead(Intake *intake)
{
        uint8_t data[HEAD_MAX];
        MessageHead head;
        ssize_t n = look(intake, data, sizeof data);

        if (n <= 0 || !intake->is_at_head ||
            !message_head_read(data, (size_t) n, SPAWN_FDS_MAX, &head))
                return n > 0;
        if (is_surplus(intake, &head)) {
                skip_surplus(intake);
                n = look(intake, data, sizeof data);
                if (n <= 0 || !message_head_read(data, (size_t) n, SPAWN_FDS_MAX, &head))
                        return n > 0;
        }
        if (head.n_fds > 0)
                tell_next(intake, &head, (size_t) n);
        intake->next_size = head.size + head.n_fds * intake->fd_weight;
        intake->is_at_head = head.size <= available(intake);
        return true;
}

/* What it costs to handle a call is known when it has been handled. */
static int step(Intake *intake)
{
        bool is_letting_in = intake->let_in;

        intake->step_began = now_usec();
        int r = sd_bus_process(intake->options.bus, NULL);
        if (is_letting_in && !intake->let_in) {
                call_queue_charge(intake->queue, intake->let_in_uid,
                                  now_usec() - intake->step_began);
                tell_idleness(intake);
        }
        return r;
}

/* Not while the bus takes no answers: they would fill the memory in place of the calls. */
static uint64_t due_at(void *data)
{
        Intake *intake = data;
        uint64_t unsent = 0;

        if (intake->let_in || sd_bus_get_n_queued_write(intake->options.bus, &unsent) < 0 ||
            unsent >= UNSENT_MAX)
                return UINT64_MAX;
        return call_queue_due_at(intake->queue);
}

/* sd-bus handles the call as if it had just been read. If it has something else to do first, it
 * does so in the next turn. */
static int let_in(Intake *intake)
{
        g_autoptr(sd_bus_message) call = call_queue_next(intake->queue, &intake->let_in_uid);
        int r = sd_bus_enqueue_for_read(intake->options.bus, call);

        if (r < 0)
                return r;
        intake->let_in = g_steal_pointer(&call);
        return step(intake);
}

/* While there is more to take, a call waits for it if it is of the only user whose calls are known
 * to wait: those to come may be of others. */
static int turn(void *data)
{
        Intake *intake = data;
        bool has_more = look_ahead(intake);
        int r = step(intake);

        for (unsigned n = 1; r >= 0 && n < TURN_MESSAGES && (has_more = look_ahead(intake)); n++)
                r = step(intake);
        intake->n_turns = has_more ? intake->n_turns + 1 : 0;
        if (r < 0 || due_at(intake) > now_usec() ||
            (has_more && intake->n_turns < TURNS_MAX && call_queue_n_due(intake->queue) < 2))
                return r;
        intake->n_turns = 0;
        return let_in(intake);
}

BusTurn intake_turn(Intake *intake)
{
        return intake->options.is_private
                       ? (BusTurn){0}
                       : (BusTurn){.take = turn, .due_at = due_at, .data = intake};
}

void intake_charge(Intake *intake, uid_t uid, uint64_t usec)
{
        call_queue_charge(intake->queue, uid, usec);
}

bool intake_is_idle(const Intake *intake)
{
        return !intake->let_in && call_queue_is_empty(intake->queue);
}

uint64_t intake_calls(const Intake *intake)
{
        return intake->n_calls;
}

bool intake_start(Intake *intake, GError **error)
{
        int r = sd_bus_add_filter(intake->options.bus, &intake->filter, on_message, intake);

        return r >= 0 ||
               error_set_errno(error, RUNTIME_ERROR_FAILED, -r, "cannot see the calls of the bus");
}

static size_t fd_weight(void)
{
        struct rlimit files = {0};

        getrlimit(RLIMIT_NOFILE, &files);
        return MAX(QUEUED_FD_WEIGHT, QUEUED_BYTES_MAX / (files.rlim_cur / 4 + 1));
}

Intake *intake_new(const IntakeOptions *options)
{
        Intake *intake = g_new0(Intake, 1);

        intake->options = *options;
        intake->queue = call_queue_new();
        intake->fd_weight = fd_weight();
        callers_listen(options->callers, &(CallersEvents){on_learned, on_left, intake});
        return intake;
}

void intake_free(Intake *intake)
{
        if (!intake)
                return;
        sd_bus_slot_unref(intake->filter);
        callers_listen(intake->options.callers, &(CallersEvents){0});
        sd_bus_message_unref(intake->let_in);
        call_queue_free(intake->queue);
        g_free(intake);
}
