#include "cli/oci/line/line.h"

#include <stddef.h>
#include <string.h>

#include "service/spec/error.h"

typedef enum FlagKind { BOOL, TEXT, WORDS } FlagKind;

typedef struct Flag {
        char letter;
        const char *name;
        FlagKind kind;
        size_t offset;
        unsigned verbs;
} Flag;

static const Flag flags[] = {
#define ROW(letter, name, kind, member, verbs)                                                     \
        {letter, name, kind, offsetof(OciOptions, member), verbs},
        OCI_FLAGS(ROW)
#undef ROW
};

const OciVerbRow oci_verbs[] = {
        {"create", OCI_VERB_CREATE, 1, 1, false, "ID", "make a container, which waits for start"},
        {"start", OCI_VERB_START, 1, 1, false, "ID", "let it execute its command"},
        {"run", OCI_VERB_RUN, 1, 1, false, "ID", "create and start; the status is the command's"},
        {"state", OCI_VERB_STATE, 1, 1, false, "ID", "tell its state as JSON"},
        {"kill", OCI_VERB_KILL, 1, 2, true, "ID [SIGNAL]", "signal its first process, or all"},
        {"delete", OCI_VERB_DELETE, 1, 1, false, "ID", "remove what is left of it"},
        {"exec", OCI_VERB_EXEC, 1, G_MAXUINT, true, "ID [COMMAND [ARG…]]", "run one more command"},
        {"pause", OCI_VERB_PAUSE, 1, 1, false, "ID", "stop all its processes"},
        {"resume", OCI_VERB_RESUME, 1, 1, false, "ID", "let them go on"},
        {"ps", OCI_VERB_PS, 1, G_MAXUINT, true, "ID [PS-OPTION…]", "list its processes"},
        {"list", OCI_VERB_LIST, 0, 0, false, "", "list the containers below --root"},
        {"update", OCI_VERB_UPDATE, 1, 1, false, "ID", "change its limits"},
        {"events", OCI_VERB_EVENTS, 1, 1, false, "ID", "tell what it uses"},
        {"features", OCI_VERB_FEATURES, 0, 0, false, "", "tell what is supported, as JSON"},
        {"spec", OCI_VERB_SPEC, 0, 0, false, "", "write a config.json to begin with"},
};
const size_t oci_n_verbs = G_N_ELEMENTS(oci_verbs);

static bool refuse(GError **error, const char *what, const char *word)
{
        g_autofree char *escaped = g_strescape(word, NULL);

        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s \"%.200s\"", what, escaped);
}

/* The flag of the first `length` bytes of `name`, or of a letter. */
static const Flag *find_flag(const char *name, size_t length, bool is_letter, OciVerb verb)
{
        for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
                const Flag *flag = &flags[i];
                bool fits = is_letter ? length == 1 && flag->letter == name[0]
                                      : strlen(flag->name) == length &&
                                                memcmp(flag->name, name, length) == 0;

                if (fits && (flag->verbs & verb))
                        return flag;
        }
        return NULL;
}

static bool set_bool(bool *place, const char *value, const char *word, GError **error)
{
        if (value && !g_str_equal(value, "true") && !g_str_equal(value, "false"))
                return refuse(error, "neither true nor false:", word);
        *place = !value || g_str_equal(value, "true");
        return true;
}

static void set_value(OciLine *line, const Flag *flag, const char *value)
{
        void *place = (char *) &line->options + flag->offset;

        if (flag->kind == TEXT) {
                *(const char **) place = value;
                return;
        }
        GPtrArray **words = place;
        if (!*words) {
                *words = g_ptr_array_new();
                g_ptr_array_add(line->owned, *words);
        }
        g_ptr_array_add(*words, (gpointer) value);
}

/* Takes a flag and its value; `*argv` is moved behind them. */
static bool take_flag(OciLine *line, char *const **argv, GError **error)
{
        const char *word = *(*argv)++;
        bool is_long = word[1] == '-';
        const char *name = word + 1 + is_long;
        const char *equals = strchr(name, '=');
        size_t length = equals ? (size_t) (equals - name) : strlen(name);
        const Flag *flag = find_flag(name, length, !is_long, line->is);

        if (!flag && !is_long) /* Go's commands take one dash as well as two */
                flag = find_flag(name, length, false, line->is);
        if (!flag)
                return refuse(error, "unknown flag", word);
        const char *value = equals ? equals + 1 : NULL;
        if (flag->kind == BOOL)
                return set_bool((bool *) ((char *) &line->options + flag->offset), value, word,
                                error);
        if (!value)
                value = *(*argv) ? *(*argv)++ : NULL;
        if (!value)
                return refuse(error, "the value is missing of", word);
        set_value(line, flag, value);
        return true;
}

static const OciVerbRow *find_verb(const char *name)
{
        for (size_t i = 0; i < oci_n_verbs; i++)
                if (g_str_equal(oci_verbs[i].name, name))
                        return &oci_verbs[i];
        return NULL;
}

static bool is_flag(const char *word)
{
        return word[0] == '-' && word[1] != '\0';
}

/* Flags and words of a command. */
static bool parse_rest(OciLine *line, const OciVerbRow *row, char *const *argv, GError **error)
{
        GPtrArray *words = g_ptr_array_new();
        bool has_ended = false;

        g_ptr_array_add(line->owned, words);
        while (*argv) {
                if (!has_ended && g_str_equal(*argv, "--")) {
                        has_ended = true;
                        argv++;
                } else if (!has_ended && is_flag(*argv)) {
                        if (!take_flag(line, &argv, error))
                                return false;
                } else {
                        g_ptr_array_add(words, *argv++);
                        has_ended |= row->stops;
                }
        }
        line->n_words = words->len;
        g_ptr_array_add(words, NULL);
        line->words = (char *const *) words->pdata;
        if (line->n_words < row->least || line->n_words > row->most)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "usage: naive-oci %s [flags] %s", row->name, row->words);
        if (row->least > 0 && !oci_id_is_valid(line->words[0]))
                return refuse(error, "invalid id", line->words[0]);
        return true;
}

bool oci_line_parse(OciLine *line, char *const *argv, GError **error)
{
        *line = (OciLine){.is = OCI_VERB_GLOBAL, .owned = g_ptr_array_new()};
        g_ptr_array_set_free_func(line->owned, (GDestroyNotify) g_ptr_array_unref);
        if (*argv)
                argv++;
        while (*argv && is_flag(*argv))
                if (!take_flag(line, &argv, error))
                        return false;
        if (!*argv)
                return true;
        const OciVerbRow *row = find_verb(*argv);
        if (!row)
                return refuse(error, "unknown command", *argv);
        line->verb = row->name;
        line->is = row->verb;
        return parse_rest(line, row, argv + 1, error);
}

void oci_line_clear(OciLine *line)
{
        g_clear_pointer(&line->owned, g_ptr_array_unref);
}

char *oci_line_help(void)
{
        GString *text = g_string_new("usage: naive-oci [flags] COMMAND [flags] [ID]\n\n");

        for (size_t i = 0; i < oci_n_verbs; i++) {
                const OciVerbRow *row = &oci_verbs[i];

                g_string_append_printf(text, "  %s %s\n        %s\n", row->name, row->words,
                                       row->help);
                for (size_t j = 0; j < G_N_ELEMENTS(flags); j++)
                        if (flags[j].verbs & row->verb)
                                g_string_append_printf(text, "          --%s\n", flags[j].name);
        }
        g_string_append(text, "\nbefore the command:\n");
        for (size_t j = 0; j < G_N_ELEMENTS(flags); j++)
                if (flags[j].verbs & OCI_VERB_GLOBAL)
                        g_string_append_printf(text, "          --%s\n", flags[j].name);
        return g_string_free(text, FALSE);
}

bool oci_id_is_valid(const char *id)
{
        size_t length = strlen(id);

        return length >= 1 && length <= 255 && id[0] != '.' && id[0] != '-' &&
               strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-") ==
                       length;
}
