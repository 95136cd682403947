#include "cli/naivec/invocation.h"

#include <getopt.h>
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/lib/text.h"

/* Ids of flags without a letter; those of the verbs begin at FLAG_OF_VERB. */
enum {
        GLOBAL_VERSION = 200,
        GLOBAL_ADDRESS,
        GLOBAL_EMBEDDED,
        GLOBAL_JSON,
        GLOBAL_NO_ASK,
        GLOBAL_NO_LEGEND,
        GLOBAL_NO_PAGER
};

static const Flag global_flags[] = {
        {"help", NULL, "show this help, or that of the command", 'h'},
        {"version", NULL, "show the version", GLOBAL_VERSION},
        {"quiet", NULL, "print errors, without hints and notices", 'q'},
        {"json", "MODE", "print JSON: 'short', 'pretty' or 'off'", GLOBAL_JSON},
        {"no-legend", NULL, "print no column headings", GLOBAL_NO_LEGEND},
        {"no-pager", NULL, "do not pipe output into a pager", GLOBAL_NO_PAGER},
        {"no-ask-password", NULL, "never ask for a password", GLOBAL_NO_ASK},
        {"embedded", NULL, "start a private service, use no bus", GLOBAL_EMBEDDED},
        {"address", "ADDRESS", "connect to the bus at ADDRESS", GLOBAL_ADDRESS},
        {"host", "[USER@]HOST", "operate on a remote host, by ssh", 'H'},
        {"machine", "CONTAINER", "operate in a container of systemd-machined", 'M'},
        {0},
};

/* getopt_long's two tables, made from ours. */
typedef struct FlagParser {
        GArray *options;
        GString *letters;
} FlagParser;

static void flag_parser_free(FlagParser *parser)
{
        if (!parser)
                return;
        g_array_unref(parser->options);
        g_string_free(parser->letters, TRUE);
        g_free(parser);
}

static void flag_parser_add(FlagParser *parser, const Flag *flags)
{
        for (; flags && flags->name; flags++) {
                struct option option = {.name = flags->name, .val = flags->id};

                if (!*flags->name)
                        continue;
                if (flags->metavar)
                        option.has_arg = flags->metavar[0] == '[' && strchr(flags->metavar, '=')
                                                 ? optional_argument
                                                 : required_argument;
                g_array_append_val(parser->options, option);
                if (flags->id > 127)
                        continue;
                g_string_append_c(parser->letters, (char) flags->id);
                /* A short form whose value may be left out takes none: `-t` means `-t yes`. */
                if (option.has_arg == required_argument)
                        g_string_append_c(parser->letters, ':');
        }
}

static FlagParser *flag_parser_new(const Verb *verb)
{
        FlagParser *parser = g_new0(FlagParser, 1);

        parser->options = g_array_new(TRUE, TRUE, sizeof(struct option));
        /* '+': the verb (or the rootfs) ends our flags. ':' would hide getopt's own messages. */
        parser->letters = g_string_new(!verb || verb->stops_at_argument ? "+" : "");
        flag_parser_add(parser, global_flags);
        if (verb && verb->flags)
                flag_parser_add(parser, verb->flags());
        return parser;
}

/* Two columns; the first in characters, which printf cannot count. */
static void print_row(const char *indent, const char *left, int width, const char *right)
{
        int padding = width - (int) g_utf8_strlen(left, -1);

        printf("%s%s%*s %s\n", indent, left, MAX(padding, 0), "", right);
}

static void print_flags(const Flag *flags)
{
        for (; flags && flags->name; flags++) {
                bool has_equals = flags->metavar && flags->metavar[0] != '[';
                g_autofree char *form =
                        g_strdup_printf("--%s%s%s", flags->name, has_equals ? "=" : "",
                                        flags->metavar ? flags->metavar : "");
                char letter[] = "      ";

                if (!*flags->name)
                        continue;
                if (flags->id <= 127)
                        g_snprintf(letter, sizeof letter, "  -%c, ", flags->id);
                print_row(letter, form, 25, flags->help);
        }
}

static void print_verb_help(const Verb *verb)
{
        printf("naivec %s [OPTIONS…] %s\n\n%s.\n", verb->name, verb->synopsis, verb->help);
        if (verb->flags) {
                printf("\nOptions of '%s':\n", verb->name);
                print_flags(verb->flags());
        }
        printf("\nOptions of all commands:\n");
        print_flags(global_flags);
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
        print_flags(global_flags);
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

static int stop_with(Invocation *invocation, int status)
{
        invocation->status = status;
        return FLAG_STOP;
}

/* Returns true if `id` was a global flag and is dealt with; `status` is -1 unless it ends the run.
 */
static bool take_global(Invocation *invocation, int id, const char *value)
{
        Settings *settings = &invocation->settings;

        switch (id) {
        case 'q':
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
        case GLOBAL_NO_ASK:
                settings->client.asks_password = false;
                return true;
        case GLOBAL_EMBEDDED:
                settings->client.is_embedded = true;
                return true;
        case GLOBAL_ADDRESS:
                settings->client.address = value;
                return true;
        case 'H':
                settings->client.host = value;
                return true;
        case 'M':
                settings->client.machine = value;
                return true;
        case GLOBAL_VERSION:
                printf("naivec %s\n", PROJECT_VERSION);
                invocation->status = 0;
                return true;
        default:
                return false;
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
        FlagParser *parser = invocation->parser;

        for (;;) {
                int id = getopt_long(invocation->argc, invocation->argv, parser->letters->str,
                                     (const struct option *) (void *) parser->options->data, NULL);

                if (id == -1)
                        return take_arguments(invocation) ? FLAG_END : FLAG_STOP;
                if (id == '?')
                        return stop_with(invocation, EXIT_USAGE);
                if (id == 'h') {
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

/* The flags before the verb; false if one of them ends the run. */
static bool take_leading_flags(Invocation *invocation, const Verb *verbs, int argc, char **argv)
{
        FlagParser *parser = invocation->parser;

        for (;;) {
                int id = getopt_long(argc, argv, parser->letters->str,
                                     (const struct option *) (void *) parser->options->data, NULL);

                if (id == -1)
                        return true;
                invocation->status = -1;
                if (id == 'h') {
                        print_help(verbs);
                        invocation->status = 0;
                } else if (!take_global(invocation, id, optarg)) {
                        invocation->status = EXIT_USAGE;
                }
                if (invocation->status >= 0)
                        return false;
        }
}

bool invocation_find_verb(Invocation *invocation, const Verb *verbs, int argc, char **argv)
{
        invocation->parser = flag_parser_new(NULL);
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
                invocation_usage(invocation, "unknown command '%s'", argv[optind]);
                return false;
        }
        flag_parser_free(invocation->parser);
        invocation->verb = verb;
        invocation->argc = argc - optind;
        invocation->argv = argv + optind;
        invocation->parser = flag_parser_new(verb);
        /* 0 makes getopt_long start afresh; it prints argv[0] in its messages, which is ours again.
         */
        invocation->argv[0] = argv[0];
        optind = 0;
        return true;
}
