#include "cli/naivec/invocation.h"

#include <getopt.h>
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/lib/nearest.h"
#include "cli/lib/text.h"

/* The ids of global flags: GLOBAL plus a letter, or one of these. */
enum {
        GLOBAL = FLAG_GLOBAL,
        GLOBAL_VERSION = GLOBAL + 128,
        GLOBAL_ADDRESS,
        GLOBAL_EMBEDDED,
        GLOBAL_JSON,
        GLOBAL_NO_ASK,
        GLOBAL_NO_LEGEND,
        GLOBAL_NO_PAGER
};

static const Flag global_flags[] = {
        {"help", NULL, "show this help, or that of the command", GLOBAL + 'h'},
        {"version", NULL, "show the version", GLOBAL_VERSION},
        {"quiet", NULL, "print errors, without hints and notices", GLOBAL + 'q'},
        {"verbose", NULL, "with --embedded: print the service's messages", GLOBAL + 'v'},
        {"json", "MODE", "print JSON: 'short', 'pretty' or 'off'", GLOBAL_JSON},
        {"no-legend", NULL, "print no column headings", GLOBAL_NO_LEGEND},
        {"no-pager", NULL, "do not pipe output into a pager", GLOBAL_NO_PAGER},
        {"no-ask-password", NULL, "never ask for a password", GLOBAL_NO_ASK},
        {"embedded", NULL, "start a private service with your own rights", GLOBAL_EMBEDDED},
        {"address", "ADDRESS", "connect to the bus at ADDRESS", GLOBAL_ADDRESS},
        {"host", "[USER@]HOST", "operate on a remote host, by ssh", GLOBAL + 'H'},
        {"machine", "CONTAINER", "operate in a container of systemd-machined", GLOBAL + 'M'},
        {0},
};

/* Prints two columns. printf() pads by bytes, but the width of the first column is in characters.
 */
static void print_row(const char *indent, const char *left, int width, const char *right)
{
        int padding = width - (int) g_utf8_strlen(left, -1);

        printf("%s%s%*s %s\n", indent, left, MAX(padding, 0), "", right);
}

/* A letter that a flag of `others` has is not shown. */
static void print_flags(const Flag *flags, const Flag *others)
{
        for (; flags && flags->name; flags++) {
                bool has_equals = flags->metavar && !flag_has_optional_value(flags);
                int letter = flag_letter(flags);
                g_autofree char *form =
                        g_strdup_printf("--%s%s%s", flags->name, has_equals ? "=" : "",
                                        flags->metavar ? flags->metavar : "");
                char short_form[] = "      ";

                if (!*flags->name)
                        continue;
                if (letter && !flag_has_letter(others, letter))
                        g_snprintf(short_form, sizeof short_form, "  -%c, ", letter);
                print_row(short_form, form, 25, flags->help);
        }
}

static void print_verb_help(const Verb *verb)
{
        const Flag *own = verb->flags ? verb->flags() : NULL;

        printf("naivec %s [OPTIONS…] %s\n\n%s.\n", verb->name, verb->synopsis, verb->help);
        if (own) {
                printf("\nOptions of '%s':\n", verb->name);
                print_flags(own, NULL);
        }
        printf("\nOptions of all commands:\n");
        print_flags(global_flags, own);
}

static void print_help(const Verb *verbs)
{
        printf("naivec [OPTIONS…] COMMAND …\n\n"
               "Run commands in containers of the naive-runc service.\n\nCommands:\n");
        for (; verbs->name; verbs++) {
                g_autofree char *form = g_strdup_printf("%s %s", verbs->name, verbs->synopsis);
                print_row("  ", form, 36, verbs->help);
        }
        printf("\nOptions:\n");
        print_flags(global_flags, NULL);
        printf("\n'naivec COMMAND --help' lists a command's own options. See naivec(1).\n");
}

static bool json_mode_parse(const char *text, JsonMode *ret)
{
        static const char *const names[] = {"off", "short", "pretty"};

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                if (!strcmp(text, names[i])) {
                        *ret = (JsonMode) i;
                        return true;
                }
        }
        return false;
}

void invocation_init(Invocation *invocation)
{
        *invocation = (Invocation){
                .settings = {.client.asks_password = true, .has_legend = true, .has_pager = true},
        };
}

void invocation_clear(Invocation *invocation)
{
        flag_parser_free(invocation->parser);
        invocation->parser = NULL;
}

int invocation_usage(Invocation *invocation, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list list;

        va_start(list, format);
        text = g_strdup_vprintf(format, list);
        va_end(list);
        complain("%s", text);
        if (invocation->verb)
                hint("usage: naivec %s [OPTIONS…] %s", invocation->verb->name,
                     invocation->verb->synopsis);
        else
                hint("'naivec --help' lists the commands");
        invocation->status = EXIT_USAGE;
        return EXIT_USAGE;
}

/* The id of the next flag; -1 at the end, '?' after a complaint about a wrong flag. */
static int next_flag(Invocation *invocation, int argc, char **argv)
{
        g_autofree char *wrong = NULL;
        int id = flag_parser_next(invocation->parser, argc, argv, &wrong);

        if (wrong)
                invocation_usage(invocation, "%s", wrong);
        return id;
}

static int stop_with(Invocation *invocation, int status)
{
        invocation->status = status;
        return FLAG_STOP;
}

/* The global flags that tell where the service is and how to talk to it. */
static bool take_client_flag(ClientOptions *options, int id, const char *value)
{
        switch (id) {
        case GLOBAL + 'v':
                options->is_verbose = true;
                return true;
        case GLOBAL_NO_ASK:
                options->asks_password = false;
                return true;
        case GLOBAL_EMBEDDED:
                options->is_embedded = true;
                return true;
        case GLOBAL_ADDRESS:
                options->address = value;
                return true;
        case GLOBAL + 'H':
                options->host = value;
                return true;
        case GLOBAL + 'M':
                options->machine = value;
                return true;
        default:
                return false;
        }
}

/* True if `id` was a global flag, which is dealt with then. Where naivec has to exit because of it,
 * `status` says how; the caller has set it to -1. */
static bool take_global(Invocation *invocation, int id, const char *value)
{
        Settings *settings = &invocation->settings;

        switch (id) {
        case GLOBAL + 'q':
                hints_silence();
                return true;
        case GLOBAL_JSON:
                if (!json_mode_parse(value, &settings->json))
                        invocation_usage(invocation, "--json takes 'short', 'pretty' or 'off'");
                return true;
        case GLOBAL_NO_LEGEND:
                settings->has_legend = false;
                return true;
        case GLOBAL_NO_PAGER:
                settings->has_pager = false;
                return true;
        case GLOBAL_VERSION:
                printf("naivec %s\n", PROJECT_VERSION);
                invocation->status = 0;
                return true;
        default:
                return take_client_flag(&settings->client, id, value);
        }
}

static bool settings_are_sound(Invocation *invocation)
{
        const ClientOptions *options = &invocation->settings.client;
        int n = (options->address != NULL) + (options->host != NULL) + (options->machine != NULL) +
                options->is_embedded;

        if (n <= 1)
                return true;
        invocation_usage(invocation,
                         "--address, --host, --machine and --embedded exclude each other");
        return false;
}

static bool take_arguments(Invocation *invocation)
{
        const Verb *verb = invocation->verb;

        invocation->arguments = invocation->argv + optind;
        invocation->n_arguments = invocation->argc - optind;
        if (invocation->n_arguments < verb->arguments_min)
                invocation_usage(invocation, "'%s' needs %s", verb->name,
                                 verb->stops_at_argument ? "a ROOTFS" : "an ID");
        else if (verb->arguments_max >= 0 && invocation->n_arguments > verb->arguments_max)
                invocation_usage(invocation, "'%s' takes no argument '%s'", verb->name,
                                 invocation->arguments[verb->arguments_max]);
        else
                return settings_are_sound(invocation);
        return false;
}

int invocation_next(Invocation *invocation, const char **ret_value)
{
        for (;;) {
                int id = next_flag(invocation, invocation->argc, invocation->argv);

                if (id == -1)
                        return take_arguments(invocation) ? FLAG_END : FLAG_STOP;
                if (id == '?')
                        return stop_with(invocation, EXIT_USAGE);
                if (id == GLOBAL + 'h') {
                        print_verb_help(invocation->verb);
                        return stop_with(invocation, 0);
                }
                invocation->status = -1;
                if (!take_global(invocation, id, optarg)) {
                        *ret_value = optarg;
                        return id;
                }
                if (invocation->status >= 0)
                        return FLAG_STOP;
        }
}

static const Verb *verb_find(const Verb *verbs, const char *name)
{
        for (; verbs->name; verbs++)
                if (!strcmp(verbs->name, name))
                        return verbs;
        return NULL;
}

/* Takes the flags before the verb; false if naivec has to exit because of a flag. */
static bool take_leading_flags(Invocation *invocation, const Verb *verbs, int argc, char **argv)
{
        for (;;) {
                int id = next_flag(invocation, argc, argv);

                if (id == -1)
                        return true;
                invocation->status = -1;
                if (id == GLOBAL + 'h') {
                        print_help(verbs);
                        invocation->status = 0;
                } else if (!take_global(invocation, id, optarg)) {
                        invocation->status = EXIT_USAGE;
                }
                if (invocation->status >= 0)
                        return false;
        }
}

static void complain_unknown_verb(Invocation *invocation, const Verb *verbs, const char *name)
{
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        for (; verbs->name; verbs++)
                g_ptr_array_add(names, (void *) (uintptr_t) verbs->name);
        g_ptr_array_add(names, NULL);
        const char *nearest = nearest_name(name, (const char *const *) names->pdata);
        if (nearest)
                invocation_usage(invocation, "there is no command '%s'; is it '%s'?", name,
                                 nearest);
        else
                invocation_usage(invocation, "there is no command '%s'", name);
}

bool invocation_find_verb(Invocation *invocation, const Verb *verbs, int argc, char **argv)
{
        invocation->parser = flag_parser_new(global_flags, NULL, true);
        optind = 0;
        if (!take_leading_flags(invocation, verbs, argc, argv))
                return false;
        if (optind >= argc) {
                invocation_usage(invocation, "no command given");
                return false;
        }
        if (!strcmp(argv[optind], "help")) {
                print_help(verbs);
                return false;
        }
        const Verb *verb = verb_find(verbs, argv[optind]);
        if (!verb) {
                complain_unknown_verb(invocation, verbs, argv[optind]);
                return false;
        }
        flag_parser_free(invocation->parser);
        invocation->verb = verb;
        invocation->argc = argc - optind;
        invocation->argv = argv + optind;
        invocation->parser = flag_parser_new(global_flags, verb->flags ? verb->flags() : NULL,
                                             verb->stops_at_argument);
        /* getopt_long() prints argv[0] in its messages; with optind 0 it starts anew. */
        invocation->argv[0] = argv[0];
        optind = 0;
        return true;
}
