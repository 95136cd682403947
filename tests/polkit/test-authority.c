#include "polkit/authority.h"

#include <string.h>
#include <sys/socket.h>

#include "dbus/connection/bus-source.h"
#include "polkit/actions.h"
#include "tests/lib/case.h"
#include "tests/lib/fake-polkit.h"
#include "tests/lib/loop.h"
#include "tests/lib/private-bus.h"

#define PERSON_USEC   (60u * UINT64_C(1000000))
#define SHORT_USEC    (60u * UINT64_C(1000)) /* less than FAKE_POLKIT_LATE_MSEC */
#define POLKIT_PREFIX "org.freedesktop.PolicyKit1.Error."

typedef struct Fixture {
        PrivateBus *bus;
        FakePolkit *polkit;
        sd_bus *service; /* the connection of the Authority */
        GSource *source;
        Authority *authority;
        unsigned n_answers;
        bool authorized; /* the last answer */
        GError *error;
} Fixture;

static void set_up(Fixture *f, const void *data)
{
        f->bus = private_bus_new();
        f->polkit = fake_polkit_new(private_bus_address(f->bus), FAKE_POLKIT_YES);
        f->service = private_bus_connect(f->bus);
        f->source = bus_source_attach(f->service, NULL, NULL, NULL);
        f->authority = authority_new(f->service, PERSON_USEC);
}

static void tear_down(Fixture *f, const void *data)
{
        authority_free(f->authority);
        g_source_destroy(f->source);
        g_source_unref(f->source);
        sd_bus_unref(f->service);
        fake_polkit_free(f->polkit);
        private_bus_free(f->bus);
        g_clear_error(&f->error);
}

static void set_timeout(Fixture *f, uint64_t timeout_usec)
{
        authority_free(f->authority);
        f->authority = authority_new(f->service, timeout_usec);
}

static void on_answer(GError *error, void *data)
{
        Fixture *f = data;

        f->n_answers++;
        f->authorized = !error;
        g_clear_error(&f->error);
        f->error = error ? g_error_copy(error) : NULL;
}

/* Whose question cannot be asked. */
static const AuthorityRequest nobody = {.sender = NULL, .action = ACTION_RUN};

static AuthorityQuery *ask(Fixture *f, bool interactive)
{
        const AuthorityRequest request = {
                .sender = ":1.77", .action = ACTION_RUN, .interactive = interactive};

        return authority_check(f->authority, &request, on_answer, f);
}

/* One answer, and no second one in the time after it. */
static void assert_answer(Fixture *f, bool interactive)
{
        ask(f, interactive);
        g_assert_true(loop_until(&f->n_answers, 1, 900));
        loop_for(20);
        g_assert_cmpuint(f->n_answers, ==, 1);
        f->n_answers = 0;
}

static void assert_refused(Fixture *f, bool interactive, RuntimeError code, const char *words)
{
        assert_answer(f, interactive);
        g_assert_false(f->authorized);
        g_assert_error(f->error, RUNTIME_ERROR, (int) code);
        g_assert_nonnull(strstr(f->error->message, words));
}

/* Yes is yes. */
FIXTURE_TEST(yes)
{
        assert_answer(f, false);
        g_assert_true(f->authorized);
        assert_answer(f, true);
        g_assert_true(f->authorized);
}

/* What authorizes nobody, whatever it is, each with its error and its words. */
static const struct Refusal {
        const char *name;
        FakePolkitMode mode;
        bool interactive;
        RuntimeError code;
        const char *words;
} refusals[] = {
        {"no", FAKE_POLKIT_NO, false, RUNTIME_ERROR_ACCESS_DENIED, "not authorized"},
        {"no-interactive", FAKE_POLKIT_NO, true, RUNTIME_ERROR_ACCESS_DENIED, "not authorized"},
        /* "ask somebody first" is a name of its own to a caller that allowed no prompt */
        {"challenge-quiet", FAKE_POLKIT_CHALLENGE, false,
         RUNTIME_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, "prompt"},
        /* after a prompt was allowed it is a refusal: nobody was there to ask */
        {"challenge-interactive", FAKE_POLKIT_CHALLENGE, true, RUNTIME_ERROR_ACCESS_DENIED,
         "no authentication agent"},
        {"dismissed", FAKE_POLKIT_DISMISSED, true, RUNTIME_ERROR_ACCESS_DENIED, "dismissed"},
        /* of another type, though it begins with "true"; or with more behind its end */
        {"malformed", FAKE_POLKIT_MALFORMED, true, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE,
         "understand"},
        {"excess", FAKE_POLKIT_EXCESS, true, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE, "understand"},
        /* yes and "ask first" together */
        {"contradiction", FAKE_POLKIT_CONTRADICTION, false, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE,
         "contradicts"},
        {"contradiction-interactive", FAKE_POLKIT_CONTRADICTION, true,
         RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE, "contradicts"},
        /* a polkit that leaves the bus over a question does not leave it open (F15) */
        {"vanish", FAKE_POLKIT_VANISH, true, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE,
         SD_BUS_ERROR_NO_REPLY},
        /* the first of two answers to one question counts, and only it (C3) */
        {"twice", FAKE_POLKIT_TWICE, true, RUNTIME_ERROR_ACCESS_DENIED, "not authorized"},
};

ROW_TEST(refusal, refusals)
{
        const struct Refusal *refusal = data;

        f->polkit->mode = refusal->mode;
        assert_refused(f, refusal->interactive, refusal->code, refusal->words);
}

/* Any error is "unavailable", told with its name and words; none of them authorizes. */
FIXTURE_TEST(errors)
{
        static const char *const names[] = {
                POLKIT_PREFIX "Failed",       POLKIT_PREFIX "NotAuthorized",
                POLKIT_PREFIX "Cancelled",    POLKIT_PREFIX "NotSupported",
                SD_BUS_ERROR_ACCESS_DENIED,   SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                SD_BUS_ERROR_LIMITS_EXCEEDED, "com.example.Unheard",
        };

        f->polkit->mode = FAKE_POLKIT_ERROR;
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                f->polkit->error_name = names[i];
                assert_refused(f, true, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE, names[i]);
                g_assert_nonnull(strstr(f->error->message, "as told"));
        }
}

/* Where polkit is not installed, nobody is authorized (F13). */
FIXTURE_TEST(no_polkit)
{
        fake_polkit_free(g_steal_pointer(&f->polkit));
        assert_refused(f, true, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE,
                       SD_BUS_ERROR_SERVICE_UNKNOWN);
}

/* The next polkit is asked by name, whatever connection it has. */
FIXTURE_TEST(polkit_restarts)
{
        assert_answer(f, false);
        fake_polkit_free(f->polkit);
        f->polkit = fake_polkit_new(private_bus_address(f->bus), FAKE_POLKIT_YES);
        assert_answer(f, false);
        g_assert_true(f->authorized);
        g_assert_cmpuint(f->polkit->n_checks, ==, 1);
}

/* A silent polkit ends in a time-out, and its prompt is taken off the screen (F14). */
FIXTURE_TEST(silence)
{
        f->polkit->mode = FAKE_POLKIT_SILENCE;
        set_timeout(f, SHORT_USEC);
        assert_refused(f, true, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE, "timed out");
        g_assert_true(loop_until(&f->polkit->n_cancelled, 1, 500));
        g_assert_cmpstr(g_ptr_array_index(f->polkit->cancelled, 0), ==,
                        fake_polkit_last(f->polkit)->cancellation_id);
}

/* A yes that comes after the time-out is not heard (F15). */
FIXTURE_TEST(late)
{
        f->polkit->mode = FAKE_POLKIT_LATE;
        set_timeout(f, SHORT_USEC);
        ask(f, true);
        loop_for(2 * FAKE_POLKIT_LATE_MSEC);
        g_assert_cmpuint(f->n_answers, ==, 1);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE);
}

/* A yes in time is heard, however long a person thought. */
FIXTURE_TEST(slow_but_in_time)
{
        f->polkit->mode = FAKE_POLKIT_LATE;
        assert_answer(f, true);
        g_assert_true(f->authorized);
}

/* When the bus dies, pending questions are answered with a refusal. */
FIXTURE_TEST(bus_lost)
{
        f->polkit->mode = FAKE_POLKIT_SILENCE;
        ask(f, true);
        ask(f, true);
        g_assert_true(loop_until(&f->polkit->n_checks, 2, 500));
        private_bus_kill(f->bus);
        g_assert_true(loop_until(&f->n_answers, 2, 500));
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE);
}

/* The subject is the caller's connection and nothing besides: no process id to be raced (C1). */
FIXTURE_TEST(subject)
{
        assert_answer(f, false);

        const FakePolkitCheck *check = fake_polkit_last(f->polkit);

        g_assert_cmpstr(check->subject_kind, ==, "system-bus-name");
        g_assert_cmpstr(check->subject_name, ==, ":1.77");
        g_assert_cmpuint(check->n_subject_details, ==, 1);
        g_assert_cmpstr(check->action, ==, ACTION_RUN);
}

/* polkit may prompt only if the caller allowed it (N7). */
FIXTURE_TEST(flags)
{
        assert_answer(f, false);
        g_assert_cmpuint(fake_polkit_last(f->polkit)->flags, ==, 0);
        assert_answer(f, true);
        g_assert_cmpuint(fake_polkit_last(f->polkit)->flags, ==, 1);
}

/* Details arrive under their keys, hostile bytes in them escaped (B13), and what an agent could
 * take for markup. */
FIXTURE_TEST(details)
{
        static const char *const details[] = {
                "rootfs", "/srv/tree",    "command_line", "a\n\x1b[2Jb \xff",
                "id",     "<b>&lt;\\x3c", "verb",         "Run",
                NULL};
        const AuthorityRequest request = {
                .sender = ":1.77", .action = ACTION_MANAGE, .details = details};

        authority_check(f->authority, &request, on_answer, f);
        g_assert_true(loop_until(&f->n_answers, 1, 900));
        g_assert_true(f->authorized);

        const FakePolkitCheck *check = fake_polkit_last(f->polkit);

        g_assert_cmpstr(check->action, ==, ACTION_MANAGE);
        g_assert_cmpuint(g_hash_table_size(check->details), ==, 4);
        g_assert_cmpstr(g_hash_table_lookup(check->details, "rootfs"), ==, "/srv/tree");
        g_assert_cmpstr(g_hash_table_lookup(check->details, "command_line"), ==,
                        "a\\x0a\\x1b[2Jb \\xff");
        g_assert_cmpstr(g_hash_table_lookup(check->details, "id"), ==,
                        "\\x3cb\\x3e\\x26lt;\\\\x3c");
        g_assert_cmpstr(g_hash_table_lookup(check->details, "verb"), ==, "Run");
}

/* Each question has a cancellation id of its own. */
FIXTURE_TEST(cancellation_ids_differ)
{
        for (unsigned i = 0; i < 5; i++)
                ask(f, false);
        g_assert_true(loop_until(&f->n_answers, 5, 900));

        g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);

        for (unsigned i = 0; i < 5; i++) {
                const FakePolkitCheck *check = g_ptr_array_index(f->polkit->checks, i);

                g_assert_cmpstr(check->cancellation_id, !=, "");
                g_assert_true(g_hash_table_add(ids, check->cancellation_id));
        }
}

/* Nothing is called back from inside authority_check(), neither an answer nor a failure to ask. */
FIXTURE_TEST(never_from_inside)
{
        const AuthorityRequest impostor = {.sender = "org.naive.Runc", .action = ACTION_RUN};
        const AuthorityRequest invalid = {.sender = ":1.77", .action = "not \xff valid"};

        ask(f, false);
        authority_check(f->authority, &nobody, on_answer, f);
        authority_check(f->authority, &impostor, on_answer, f);
        authority_check(f->authority, &invalid, on_answer, f);
        g_assert_cmpuint(f->n_answers, ==, 0);
        g_assert_true(loop_until(&f->n_answers, 4, 900));
        g_assert_cmpuint(f->polkit->n_checks, ==, 1);
}

/* A caller without a unique name cannot be asked about, and is refused. */
FIXTURE_TEST(no_unique_name)
{
        static const char *const senders[] = {NULL, "", "org.naive.Runc"};

        for (unsigned i = 0; i < G_N_ELEMENTS(senders); i++) {
                const AuthorityRequest request = {.sender = senders[i], .action = ACTION_RUN};

                authority_check(f->authority, &request, on_answer, f);
                g_assert_true(loop_until(&f->n_answers, i + 1, 900));
                g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE);
        }
        g_assert_cmpuint(f->polkit->n_checks, ==, 0);
}

/* A question that cannot be sent, because the connection is gone, is refused. */
FIXTURE_TEST(closed_bus)
{
        sd_bus_close(f->service);
        assert_refused(f, false, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE, "cannot ask");
}

/* Cancelling takes back the prompt by the question's own id, and nothing is called back. */
FIXTURE_TEST(cancel)
{
        f->polkit->mode = FAKE_POLKIT_LATE; /* the yes comes after the cancellation */
        AuthorityQuery *query = ask(f, true);

        g_assert_true(loop_until(&f->polkit->n_checks, 1, 500));
        authority_query_cancel(query);
        g_assert_true(loop_until(&f->polkit->n_cancelled, 1, 500));
        g_assert_cmpstr(g_ptr_array_index(f->polkit->cancelled, 0), ==,
                        fake_polkit_last(f->polkit)->cancellation_id);
        loop_for(FAKE_POLKIT_LATE_MSEC + 30);
        g_assert_cmpuint(f->n_answers, ==, 0);
}

/* One of two questions can be cancelled; the other is answered. */
FIXTURE_TEST(cancel_one_of_two)
{
        AuthorityQuery *first = ask(f, true);

        ask(f, true);
        authority_query_cancel(first);
        loop_for(50);
        g_assert_cmpuint(f->n_answers, ==, 1);
        g_assert_cmpuint(f->polkit->n_cancelled, ==, 1);
}

/* A failure that waits to be told can be cancelled as well; polkit never heard of it. */
FIXTURE_TEST(cancel_failure)
{
        authority_query_cancel(authority_check(f->authority, &nobody, on_answer, f));
        authority_query_cancel(NULL);
        loop_for(50);
        g_assert_cmpuint(f->n_answers, ==, 0);
        g_assert_cmpuint(f->polkit->n_cancelled, ==, 0);
}

/* Freeing the Authority with questions open is clean: all are cancelled, none is called back. */
FIXTURE_TEST(free_with_pending)
{
        f->polkit->mode = FAKE_POLKIT_SILENCE;
        for (unsigned i = 0; i < 3; i++)
                ask(f, true);
        authority_check(f->authority, &nobody, on_answer, f);
        authority_free(g_steal_pointer(&f->authority));
        g_assert_true(loop_until(&f->polkit->n_cancelled, 3, 500));
        loop_for(20);
        g_assert_cmpuint(f->n_answers, ==, 0);
}

static void on_answer_free(GError *error, void *data)
{
        Fixture *f = data;

        on_answer(error, data);
        authority_free(g_steal_pointer(&f->authority));
}

/* The callback may free the Authority, whether it is told an answer or a failure. */
FIXTURE_TEST(free_from_callback)
{
        const AuthorityRequest request = {.sender = ":1.77", .action = ACTION_RUN};
        authority_check(f->authority, &request, on_answer_free, f);
        g_assert_true(loop_until(&f->n_answers, 1, 900));
        f->authority = authority_new(f->service, PERSON_USEC);
        authority_check(f->authority, &nobody, on_answer_free, f);
        g_assert_true(loop_until(&f->n_answers, 2, 900));
        loop_for(20);
        g_assert_cmpuint(f->n_answers, ==, 2);
}

static void on_answer_again(GError *error, void *data)
{
        Fixture *f = data;

        on_answer(error, data);
        ask(f, false);
}

/* The callback may ask the next question. */
FIXTURE_TEST(ask_from_callback)
{
        const AuthorityRequest request = {.sender = ":1.77", .action = ACTION_RUN};

        authority_check(f->authority, &request, on_answer_again, f);
        g_assert_true(loop_until(&f->n_answers, 2, 900));
        g_assert_true(f->authorized);
}

/* A question never holds up the caller, not even with polkit stopped and the socket full of
 * questions. */
FIXTURE_TEST(never_blocks)
{
        const int small = 8192;
        int64_t start = g_get_monotonic_time();
        g_autofree char *text = g_strnfill(AUTHORITY_TEXT_MAX, 'x');
        const char *const details[] = {"rootfs", text, "command_line", text, NULL};
        const AuthorityRequest request = {
                .sender = ":1.77", .action = ACTION_RUN, .details = details};

        private_bus_stop(f->bus);
        g_assert_cmpint(
                setsockopt(sd_bus_get_fd(f->service), SOL_SOCKET, SO_SNDBUF, &small, sizeof small),
                ==, 0);
        for (unsigned i = 0; i < 40; i++)
                authority_query_cancel(authority_check(f->authority, &request, on_answer, f));
        authority_free(g_steal_pointer(&f->authority));
        g_assert_cmpint(g_get_monotonic_time() - start, <, 900 * 1000);
        g_assert_cmpuint(f->n_answers, ==, 0);
        private_bus_kill(f->bus);
}

static void assert_escaped(const char *bytes, const char *expected)
{
        g_autofree char *text = authority_escape(bytes);

        g_assert_cmpstr(text, ==, expected);
}

/* Ordinary text in any script is left alone. */
TEST(escape_plain)
{
        assert_escaped("", "");
        assert_escaped("/srv/tree one/$(id) <b>&'\"", "/srv/tree one/$(id) <b>&'\"");
        assert_escaped("naïve – 日本語 – العربية 😀", "naïve – 日本語 – العربية 😀");
}

/* What a terminal or a prompt would obey or not show becomes visible. */
TEST(escape_controls)
{
        assert_escaped("a\tb\nc\rd\x1b[0m\x7f", "a\\x09b\\x0ac\\x0dd\\x1b[0m\\x7f");
        assert_escaped("\xc2\x85\xc2\x9b", "\\u{85}\\u{9b}");       /* C1 controls */
        assert_escaped("\u202egpj\u202c", "\\u{202e}gpj\\u{202c}"); /* overrides */
        assert_escaped("\u2066\u2069\u200f\u061c", "\\u{2066}\\u{2069}\\u{200f}\\u{61c}");
        assert_escaped("a\u200bb\ufeffc\u00add", "a\\u{200b}b\\u{feff}c\\u{ad}d"); /* invisible */
        assert_escaped("a\u2028b\u2029c\u2003d\u00a0e", "a\\u{2028}b\\u{2029}c\\u{2003}d\\u{a0}e");
        assert_escaped("\U000e0041", "\\u{e0041}");           /* tags */
        assert_escaped("\ufdd0\uffff", "\\u{fdd0}\\u{ffff}"); /* what sd-bus calls invalid */
}

/* Bytes that are no UTF-8 are shown one by one. */
TEST(escape_invalid)
{
        assert_escaped("a\xff\xfe", "a\\xff\\xfe");
        assert_escaped("\xc0\xaf", "\\xc0\\xaf");                   /* overlong */
        assert_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* surrogate */
        assert_escaped("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* beyond Unicode */
        assert_escaped("\xe2\x82", "\\xe2\\x82");                   /* cut off */
        assert_escaped("\xe2\x82z", "\\xe2\\x82z");
}

/* Different bytes give different text: a newline is not the two characters that stand for it. */
TEST(escape_is_unambiguous)
{
        assert_escaped("\n", "\\x0a");
        assert_escaped("\\x0a", "\\\\x0a");
}

/* The result is bounded, ends in an ellipsis where it was cut, and is never cut inside of a
 * character. */
TEST(escape_bounded)
{
        for (unsigned n = AUTHORITY_TEXT_MAX - 9; n <= AUTHORITY_TEXT_MAX + 1; n++) {
                g_autofree char *fill = g_strnfill(n, 'x');
                g_autofree char *bytes = g_strconcat(fill, "\u202e€", NULL);
                g_autofree char *text = authority_escape(bytes);

                g_assert_cmpuint(strlen(text), <=, AUTHORITY_TEXT_MAX);
                g_assert_true(g_str_has_suffix(text, "…"));
                g_assert_true(g_utf8_validate(text, -1, NULL));
                g_assert_true(strchr(text, '\\') == NULL);
        }
        g_autofree char *exact = g_strnfill(AUTHORITY_TEXT_MAX, 'x');
        assert_escaped(exact, exact);
}

/* Whatever the bytes, the result can be sent as a D-Bus string. */
TEST(escape_any_bytes)
{
        for (unsigned i = 0; i < 5000; i++) {
                char bytes[17] = {0};

                for (unsigned n = 0; n < 16; n++)
                        bytes[n] = (char) g_test_rand_int_range(1, 256);
                g_autofree char *text = authority_escape(bytes);

                g_assert_true(g_utf8_validate(text, -1, NULL));
                for (const char *at = text; *at; at = g_utf8_next_char(at))
                        g_assert_true(g_unichar_isprint(g_utf8_get_char(at)));
        }
}
