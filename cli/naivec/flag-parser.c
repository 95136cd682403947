#include "cli/naivec/flag-parser.h"

#include <getopt.h>
#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "cli/lib/nearest.h"

/* The two tables of getopt_long(), made from lists of Flag. */
struct FlagParser {
        const Flag *own; /* the verb's flags, NULL for none */
        GArray *options;
        GString *letters;
};

void flag_parser_free(FlagParser *parser)
{
        if (!parser)
                return;
        g_array_unref(parser->options);
        g_string_free(parser->letters, TRUE);
        g_free(parser);
}

/* The letter of a flag, or 0 if it has none. */
int flag_letter(const Flag *flag)
{
        int letter = flag->id >= FLAG_GLOBAL ? flag->id - FLAG_GLOBAL : flag->id;

        return letter <= 127 ? letter : 0;
}

bool flag_has_letter(const Flag *flags, int letter)
{
        for (; flags && flags->name; flags++)
                if (flags->id == letter)
                        return true;
        return false;
}

bool flag_has_optional_value(const Flag *flag)
{
        return flag->metavar && g_str_has_prefix(flag->metavar, "[=");
}

static void flag_parser_add(FlagParser *parser, const Flag *flags)
{
        for (; flags && flags->name; flags++) {
                struct option option = {.name = flags->name, .val = flags->id};
                int letter = flag_letter(flags);

                if (!*flags->name)
                        continue;
                if (flags->metavar)
                        option.has_arg = flag_has_optional_value(flags) ? optional_argument
                                                                        : required_argument;
                g_array_append_val(parser->options, option);
                if (!letter || (letter != flags->id && flag_has_letter(parser->own, letter)))
                        continue;
                g_string_append_c(parser->letters, (char) letter);
                /* A short form whose value may be left out takes none: `-t` means `-t yes`. */
                if (option.has_arg == required_argument)
                        g_string_append_c(parser->letters, ':');
        }
}

FlagParser *flag_parser_new(const Flag *global, const Flag *own, bool stops_at_argument)
{
        FlagParser *parser = g_new0(FlagParser, 1);

        parser->own = own;
        parser->options = g_array_new(TRUE, TRUE, sizeof(struct option));
        /* '+': our flags end at the first word that is no flag, which is the verb or the rootfs.
         * ':': a missing value is told apart. */
        parser->letters = g_string_new(stops_at_argument ? "+:" : ":");
        flag_parser_add(parser, global);
        flag_parser_add(parser, own);
        return parser;
}

static const struct option *options_of(const FlagParser *parser)
{
        return (const struct option *) (void *) parser->options->data;
}

static const char *name_of(const FlagParser *parser, int id)
{
        for (const struct option *option = options_of(parser); option->name; option++)
                if (option->val == id || option->val == FLAG_GLOBAL + id)
                        return option->name;
        return NULL;
}

static char *words_unknown(const FlagParser *parser, const char *word)
{
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        g_autofree char *name = g_strndup(word + 2, strcspn(word + 2, "="));

        for (const struct option *option = options_of(parser); option->name; option++)
                g_ptr_array_add(names, (void *) (uintptr_t) option->name);
        g_ptr_array_add(names, NULL);
        const char *nearest = nearest_name(name, (const char *const *) names->pdata);
        return nearest ? g_strdup_printf("there is no option '--%s'; is it '--%s'?", name, nearest)
                       : g_strdup_printf("there is no option '--%s'", name);
}

/* What getopt_long() found wrong: a value that is missing, a word or a letter that no flag has, a
 * value too much. */
static char *words_wrong(const FlagParser *parser, bool lacks_value, const char *word)
{
        const char *name = optopt ? name_of(parser, optopt) : NULL;

        if (!optopt)
                return words_unknown(parser, word);
        if (!name)
                return g_strdup_printf("there is no option '-%c'", optopt);
        return g_strdup_printf("the option '--%s' %s", name,
                               lacks_value ? "needs a value" : "takes no value");
}

int flag_parser_next(FlagParser *parser, int argc, char **argv, char **ret_wrong)
{
        int index = -1;

        opterr = 0;
        int id = getopt_long(argc, argv, parser->letters->str, options_of(parser), &index);
        if (id == '?' || id == ':') {
                *ret_wrong = words_wrong(parser, id == ':', argv[optind - 1]);
                return '?';
        }
        /* getopt_long() takes the beginning of a name for the name. But --memory-swap and --user
         * are flags of podman's, and mean something else than ours that begin so. */
        if (index >= 0) {
                const char *word = argv[optind - (optarg == argv[optind - 1] ? 2 : 1)];

                if (strcspn(word + 2, "=") != strlen(options_of(parser)[index].name)) {
                        *ret_wrong = words_unknown(parser, word);
                        return '?';
                }
        }
        return id > 0 && id < FLAG_GLOBAL && !flag_has_letter(parser->own, id) ? FLAG_GLOBAL + id
                                                                               : id;
}
