#pragma once

/* A peer that owns org.freedesktop.PolicyKit1 and answers as it is told. It lives on a connection
 * of its own, served from the default main context, so a test reads its records directly. */

#include <glib.h>
#include <stdint.h>

#define FAKE_POLKIT_LATE_MSEC 120u /* after that, mode LATE says yes */

typedef enum FakePolkitMode {
        FAKE_POLKIT_YES,
        FAKE_POLKIT_NO,
        FAKE_POLKIT_CHALLENGE,
        FAKE_POLKIT_DISMISSED,
        FAKE_POLKIT_ERROR,         /* an error reply named by `error_name` */
        FAKE_POLKIT_SILENCE,       /* never answers */
        FAKE_POLKIT_MALFORMED,     /* a reply of another type: (b), true */
        FAKE_POLKIT_EXCESS,        /* a yes with a string behind it */
        FAKE_POLKIT_CONTRADICTION, /* authorized and challenge at once */
        FAKE_POLKIT_VANISH,        /* leaves the bus with the question unanswered */
        FAKE_POLKIT_LATE,
        FAKE_POLKIT_TWICE, /* no, and then yes to the same call */
} FakePolkitMode;

/* One CheckAuthorization as it arrived. */
typedef struct FakePolkitCheck {
        char *subject_kind;
        char *subject_name;
        unsigned n_subject_details;
        char *action;
        GHashTable *details; /* char* → char* */
        uint32_t flags;
        char *cancellation_id;
} FakePolkitCheck;

typedef struct FakePolkit {
        FakePolkitMode mode;    /* may be changed at any time */
        const char *error_name; /* for mode ERROR */
        unsigned n_checks;
        unsigned n_cancelled;
        GPtrArray *checks;    /* FakePolkitCheck*, in order of arrival */
        GPtrArray *cancelled; /* char*: ids given to CancelCheckAuthorization */
        struct FakePolkitPrivate *private;
} FakePolkit;

/* Returns once the name is owned on the bus at `address`. */
FakePolkit *fake_polkit_new(const char *address, FakePolkitMode mode);
void fake_polkit_free(FakePolkit *polkit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FakePolkit, fake_polkit_free)

/* The check that arrived last; there must be one. */
const FakePolkitCheck *fake_polkit_last(const FakePolkit *polkit);
