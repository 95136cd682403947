#include "tests/lib/fake-polkit.h"

#include <stdbool.h>

#include "dbus/connection/bus-source.h"
#include "service/util/bus-auto.h"
#include "tests/lib/must.h"

#define POLKIT_NAME         "org.freedesktop.PolicyKit1"
#define AUTHORITY_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define AUTHORITY_INTERFACE "org.freedesktop.PolicyKit1.Authority"

struct FakePolkitPrivate {
        sd_bus *bus;
        GSource *source;
        GSource *late_source;
        sd_bus_message *unanswered; /* the last one; held, so that it is never answered by sd-bus */
};

static void check_free(void *data)
{
        FakePolkitCheck *check = data;

        g_free(check->subject_kind);
        g_free(check->subject_name);
        g_free(check->action);
        g_hash_table_unref(check->details);
        g_free(check->cancellation_id);
        g_free(check);
}

static void read_subject(sd_bus_message *message, FakePolkitCheck *check)
{
        const char *kind, *key, *value;

        must(sd_bus_message_enter_container(message, 'r', "sa{sv}"));
        must(sd_bus_message_read(message, "s", &kind));
        check->subject_kind = g_strdup(kind);
        must(sd_bus_message_enter_container(message, 'a', "{sv}"));
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                check->n_subject_details++;
                must(sd_bus_message_read(message, "s", &key));
                if (g_str_equal(key, "name")) {
                        must(sd_bus_message_read(message, "v", "s", &value));
                        check->subject_name = g_strdup(value);
                } else {
                        must(sd_bus_message_skip(message, "v"));
                }
                must(sd_bus_message_exit_container(message));
        }
        must(sd_bus_message_exit_container(message));
        must(sd_bus_message_exit_container(message));
}

static void record(FakePolkit *polkit, sd_bus_message *message)
{
        FakePolkitCheck *check = g_new0(FakePolkitCheck, 1);
        const char *key, *value;

        check->details = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        read_subject(message, check);
        must(sd_bus_message_read(message, "s", &value));
        check->action = g_strdup(value);
        must(sd_bus_message_enter_container(message, 'a', "{ss}"));
        while (sd_bus_message_read(message, "{ss}", &key, &value) > 0)
                g_hash_table_insert(check->details, g_strdup(key), g_strdup(value));
        must(sd_bus_message_exit_container(message));
        must(sd_bus_message_read(message, "us", &check->flags, &value));
        check->cancellation_id = g_strdup(value);
        g_ptr_array_add(polkit->checks, check);
        polkit->n_checks++;
}

static int answer(sd_bus_message *message, bool authorized, bool challenge, bool dismissed)
{
        return sd_bus_reply_method_return(message, "(bba{ss})", authorized, challenge, dismissed,
                                          "polkit.dismissed", "true");
}

static gboolean on_late(void *data)
{
        FakePolkit *polkit = data;

        answer(polkit->private->unanswered, true, false, false);
        return G_SOURCE_REMOVE;
}

static void answer_late(FakePolkit *polkit)
{
        struct FakePolkitPrivate *private = polkit->private;

        g_assert_null(private->late_source);
        private->late_source = g_timeout_source_new(FAKE_POLKIT_LATE_MSEC);
        g_source_set_callback(private->late_source, on_late, polkit, NULL);
        g_source_attach(private->late_source, NULL);
}

static void hold(FakePolkit *polkit, sd_bus_message *message)
{
        sd_bus_message_unref(polkit->private->unanswered);
        polkit->private->unanswered = sd_bus_message_ref(message);
}

static int on_check(sd_bus_message *message, void *data, sd_bus_error *error)
{
        FakePolkit *polkit = data;

        record(polkit, message);
        switch (polkit->mode) {
        case FAKE_POLKIT_YES:
                return answer(message, true, false, false);
        case FAKE_POLKIT_NO:
                return answer(message, false, false, false);
        case FAKE_POLKIT_CHALLENGE:
                return answer(message, false, true, false);
        case FAKE_POLKIT_DISMISSED:
                return answer(message, false, true, true);
        case FAKE_POLKIT_CONTRADICTION:
                return answer(message, true, true, false);
        case FAKE_POLKIT_ERROR:
                return sd_bus_reply_method_errorf(message, polkit->error_name, "as told");
        case FAKE_POLKIT_SILENCE:
                hold(polkit, message);
                return 1;
        case FAKE_POLKIT_LATE:
                hold(polkit, message);
                answer_late(polkit);
                return 1;
        case FAKE_POLKIT_MALFORMED:
                return sd_bus_reply_method_return(message, "(b)", true);
        case FAKE_POLKIT_EXCESS:
                return sd_bus_reply_method_return(message, "(bba{ss})s", true, false, 0, "more");
        case FAKE_POLKIT_VANISH:
                sd_bus_close(polkit->private->bus);
                return 1;
        case FAKE_POLKIT_TWICE:
                must(answer(message, false, false, false));
                return answer(message, true, false, false);
        default:
                g_assert_not_reached();
        }
}

static int on_cancel(sd_bus_message *message, void *data, sd_bus_error *error)
{
        FakePolkit *polkit = data;
        const char *id;

        must(sd_bus_message_read(message, "s", &id));
        g_ptr_array_add(polkit->cancelled, g_strdup(id));
        polkit->n_cancelled++;
        return sd_bus_reply_method_return(message, NULL);
}

/* Not a vtable: with one, sd-bus refuses to send a reply of another type than declared. */
static int on_call(sd_bus_message *message, void *data, sd_bus_error *error)
{
        if (sd_bus_message_is_method_call(message, AUTHORITY_INTERFACE, "CheckAuthorization"))
                return on_check(message, data, error);
        if (sd_bus_message_is_method_call(message, AUTHORITY_INTERFACE, "CancelCheckAuthorization"))
                return on_cancel(message, data, error);
        return 0;
}

FakePolkit *fake_polkit_new(const char *address, FakePolkitMode mode)
{
        FakePolkit *polkit = g_new0(FakePolkit, 1);
        struct FakePolkitPrivate *private = g_new0(struct FakePolkitPrivate, 1);

        polkit->mode = mode;
        polkit->error_name = "org.freedesktop.PolicyKit1.Error.Failed";
        polkit->checks = g_ptr_array_new_with_free_func(check_free);
        polkit->cancelled = g_ptr_array_new_with_free_func(g_free);
        polkit->private = private;
        must(sd_bus_new(&private->bus));
        must(sd_bus_set_address(private->bus, address));
        must(sd_bus_set_bus_client(private->bus, true));
        must(sd_bus_start(private->bus));
        must(sd_bus_add_object(private->bus, NULL, AUTHORITY_PATH, on_call, polkit));
        must(sd_bus_request_name(private->bus, POLKIT_NAME, 0));
        private->source = bus_source_attach(private->bus, NULL, NULL, NULL);
        return polkit;
}

void fake_polkit_free(FakePolkit *polkit)
{
        if (!polkit)
                return;
        struct FakePolkitPrivate *private = polkit->private;

        if (private->late_source) {
                g_source_destroy(private->late_source);
                g_source_unref(private->late_source);
        }
        sd_bus_message_unref(private->unanswered);
        if (sd_bus_is_open(private->bus) > 0)
                (void) sd_bus_release_name(private->bus, POLKIT_NAME); /* waits: it is free now */
        g_source_destroy(private->source);
        g_source_unref(private->source);
        sd_bus_unref(private->bus);
        g_free(private);
        g_ptr_array_unref(polkit->checks);
        g_ptr_array_unref(polkit->cancelled);
        g_free(polkit);
}

const FakePolkitCheck *fake_polkit_last(const FakePolkit *polkit)
{
        g_assert_cmpuint(polkit->checks->len, >, 0);
        return g_ptr_array_index(polkit->checks, polkit->checks->len - 1);
}
