#include "cli/bwrap/line.h"

#include <string.h>

#include "cli/bwrap/content.h"
#include "cli/bwrap/options.h"
#include "cli/lib/nearest.h"
#include "cli/lib/values.h"
#include "service/util/capability.h"

/* As many as bubblewrap takes, those of --args included. */
#define WORDS_MAX 9000

typedef struct Option {
        const char *name, *arguments;
        BwrapTake take;
        unsigned what;
        const char *words;
} Option;

static const Option options[] = {
#define X(name, arguments, take, what, words) {name, arguments, take, what, words},
        BWRAP_OPTIONS(X)
#undef X
};

static void clear_step(void *data)
{
        BwrapStep *step = data;

        g_free(step->source);
        g_free(step->target);
}

static void bwrap_line_init(BwrapLine *line, char *const *words, char *const *environment)
{
        *line = (BwrapLine){.mode = -1};
        line->steps = g_array_new(FALSE, FALSE, sizeof(BwrapStep));
        g_array_set_clear_func(line->steps, clear_step);
        line->environment = g_strdupv((char **) environment);
        memset(line->numbers, -1, sizeof line->numbers);
        memset(line->fds, -1, sizeof line->fds);
        line->lock_files = g_ptr_array_new();
        line->filters = g_array_new(FALSE, FALSE, sizeof(int));
        line->words = g_strdupv((char **) words);
        line->old_words = g_ptr_array_new_with_free_func((GDestroyNotify) g_strfreev);
}

void bwrap_line_clear(BwrapLine *line)
{
        g_clear_pointer(&line->steps, g_array_unref);
        g_clear_pointer(&line->environment, g_strfreev);
        g_clear_pointer(&line->lock_files, g_ptr_array_unref);
        g_clear_pointer(&line->filters, g_array_unref);
        g_clear_pointer(&line->words, g_strfreev);
        g_clear_pointer(&line->old_words, g_ptr_array_unref);
}

static unsigned count_arguments(const Option *option)
{
        unsigned n = *option->arguments != '\0';

        for (const char *c = option->arguments; *c; c++)
                n += *c == ' ';
        return n;
}

static const Option *find_option(const char *name)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(options); i++)
                if (strcmp(options[i].name, name) == 0)
                        return &options[i];
        return NULL;
}

static char *unknown(const char *word)
{
        const char *names[G_N_ELEMENTS(options) + 1] = {NULL};

        for (unsigned i = 0; i < G_N_ELEMENTS(options); i++)
                names[i] = options[i].name;
        const char *nearest = nearest_name(word, names);
        if (nearest)
                return g_strdup_printf("Unknown option %s; is it %s?", word, nearest);
        return g_strdup_printf("Unknown option %s", word);
}

/* -- values -- */

static char *take_fd(const char *text, const char *name, int *ret)
{
        uint64_t number;

        if (!value_parse_number(text, 0, INT32_MAX, &number))
                return g_strdup_printf("%s %s: not a file descriptor", name, text);
        *ret = (int) number;
        return NULL;
}

static char *take_octal(const char *text, const char *name, int *ret)
{
        size_t length = strlen(text);

        if (length == 0 || length > 6 || strspn(text, "01234567") != length ||
            g_ascii_strtoull(text, NULL, 8) > 07777)
                return g_strdup_printf("%s %s: not an octal mode", name, text);
        *ret = (int) g_ascii_strtoull(text, NULL, 8);
        return NULL;
}

static char *take_capability(BwrapLine *line, const Option *option, const char *text)
{
        g_autofree char *upper = g_ascii_strup(text, -1);
        uint64_t mask = 0, every = 0;

        for (unsigned i = 0; capability_name(i); i++)
                every |= UINT64_C(1) << i;
        if (strcmp(upper, "ALL") == 0)
                mask = every;
        else if (!capability_from_name(upper, &mask))
                return g_strdup_printf("%s %s: there is no such capability", option->name, text);
        line->has_capabilities = true;
        if (option->take == TAKE_CAP_ADD)
                line->capabilities |= mask;
        else
                line->capabilities &= ~mask;
        return NULL;
}

static char *take_size(BwrapLine *line, const char *text)
{
        if (!value_parse_number(text, 1, UINT64_MAX / 2, &line->size))
                return g_strdup_printf("--size %s: not a number of bytes", text);
        return NULL;
}

static char *take_number(BwrapLine *line, const Option *option, const char *text)
{
        uint64_t number;

        if (!value_parse_number(text, 0, UINT32_MAX - 1, &number))
                return g_strdup_printf("%s %s: not a number", option->name, text);
        line->numbers[option->what] = (int64_t) number;
        return NULL;
}

static char *take_filter(BwrapLine *line, const Option *option, const char *text)
{
        int fd = -1;
        char *wrong = take_fd(text, option->name, &fd);

        if (!wrong)
                g_array_append_val(line->filters, fd);
        return wrong;
}

/* -- steps -- */

/* Options that --perms is for. */
static bool has_mode(BwrapKind kind)
{
        return kind == STEP_TMPFS || kind == STEP_DIR || kind == STEP_FILE ||
               kind == STEP_BIND_DATA || kind == STEP_RO_BIND_DATA;
}

static char *take_step(BwrapLine *line, const Option *option, char **arguments)
{
        bool is_chmod = option->what == STEP_CHMOD;
        bool has_fd = g_str_has_prefix(option->arguments, "FD ");
        bool has_source = count_arguments(option) == 2;
        BwrapStep step = {option->what, option->name, NULL, NULL, -1, line->mode, line->size};
        char *wrong = NULL;

        if (is_chmod)
                wrong = take_octal(arguments[0], option->name, &step.mode);
        else if (has_fd)
                wrong = take_fd(arguments[0], option->name, &step.fd);
        else if (has_source)
                step.source = g_strdup(arguments[0]);
        if (wrong)
                return wrong;
        step.target = g_strdup(arguments[has_source]);
        g_array_append_val(line->steps, step);
        line->mode = -1;
        line->size = 0;
        line->pending = NULL;
        return NULL;
}

/* --perms and --size are for the next option alone. */
static char *check_pending(const BwrapLine *line, const Option *option)
{
        bool is_step = option->take == TAKE_STEP;
        bool takes_mode = option->take == TAKE_SIZE || option->take == TAKE_PERMS ||
                          (is_step && has_mode((BwrapKind) option->what));
        bool takes_size = option->take == TAKE_PERMS || option->take == TAKE_SIZE ||
                          (is_step && option->what == STEP_TMPFS);

        if ((line->mode < 0 || takes_mode) && (!line->size || takes_size))
                return NULL;
        return g_strdup_printf("%s must be followed by an option that it is for, not by %s",
                               line->pending, option->name);
}

/* -- the line -- */

/* The words of --args take its place. */
static char *take_args(BwrapLine *line, const char *text, char ***next)
{
        g_autofree char *wrong = NULL;
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        g_auto(GStrv) more = NULL;
        int fd = -1;

        if ((wrong = take_fd(text, "--args", &fd)) ||
            (wrong = content_read_words(fd, WORDS_MAX, &more)))
                return g_steal_pointer(&wrong);
        g_strv_builder_addv(builder, (const char **) more);
        g_strv_builder_addv(builder, (const char **) *next);
        g_ptr_array_add(line->old_words, g_steal_pointer(&line->words));
        line->words = g_strv_builder_end(builder);
        *next = line->words;
        return g_strv_length(line->words) > WORDS_MAX
                       ? g_strdup_printf("more than %u arguments", WORDS_MAX)
                       : NULL;
}

/* Of what says something of the network, the last one counts. */
static void take_flag(BwrapLine *line, BwrapFlag flag)
{
        line->flags[flag] = true;
        if (flag == FLAG_UNSHARE_ALL)
                line->flags[FLAG_UNSHARE_NET] = line->flags[FLAG_UNSHARE_UTS] = true;
        else if (flag == FLAG_SHARE_NET)
                line->flags[FLAG_UNSHARE_NET] = false;
}

static void change_environment(BwrapLine *line, BwrapTake take, char **arguments)
{
        if (take == TAKE_CLEARENV) {
                g_strfreev(line->environment);
                line->environment = g_new0(char *, 1);
        } else if (take == TAKE_SETENV) {
                line->environment =
                        g_environ_setenv(line->environment, arguments[0], arguments[1], TRUE);
        } else {
                line->environment = g_environ_unsetenv(line->environment, arguments[0]);
        }
}

static char *take_option(BwrapLine *line, const Option *option, char **arguments)
{
        switch (option->take) {
        case TAKE_ARGS:
        case TAKE_ALWAYS:
                return NULL;
        case TAKE_REFUSED:
                return g_strdup_printf("%s is refused: %s", option->name, option->words);
        case TAKE_FLAG:
                take_flag(line, (BwrapFlag) option->what);
                return NULL;
        case TAKE_NUMBER:
                return take_number(line, option, arguments[0]);
        case TAKE_FD:
                return take_fd(arguments[0], option->name, &line->fds[option->what]);
        case TAKE_TEXT:
                line->texts[option->what] = arguments[0];
                return NULL;
        case TAKE_CLEARENV:
        case TAKE_SETENV:
        case TAKE_UNSETENV:
                change_environment(line, option->take, arguments);
                return NULL;
        case TAKE_LOCK_FILE:
                g_ptr_array_add(line->lock_files, arguments[0]);
                return NULL;
        case TAKE_FILTER:
                return take_filter(line, option, arguments[0]);
        case TAKE_CAP_ADD:
        case TAKE_CAP_DROP:
                return take_capability(line, option, arguments[0]);
        case TAKE_PERMS:
                line->pending = option->name;
                return take_octal(arguments[0], option->name, &line->mode);
        case TAKE_SIZE:
                line->pending = option->name;
                return take_size(line, arguments[0]);
        case TAKE_STEP:
                return take_step(line, option, arguments);
        }
        return NULL;
}

static char *check_line(const BwrapLine *line)
{
        if (line->pending)
                return g_strdup_printf("%s must be followed by an option that it is for",
                                       line->pending);
        if (line->texts[TEXT_HOSTNAME] && !line->flags[FLAG_UNSHARE_UTS])
                return g_strdup("Specifying --hostname requires --unshare-uts");
        if (line->filters->len && line->fds[FD_FILTER] >= 0)
                return g_strdup("--seccomp cannot be combined with --add-seccomp-fd");
        if (!line->argv[0] && !line->flags[FLAG_HELP] && !line->flags[FLAG_VERSION])
                return g_strdup("no command is given; see --help");
        return NULL;
}

char *bwrap_line_parse(BwrapLine *line, char *const *words, char *const *environment)
{
        bwrap_line_init(line, words, environment);
        char **next = line->words;

        while (*next && **next == '-' && strcmp(*next, "--") != 0 && !line->flags[FLAG_HELP] &&
               !line->flags[FLAG_VERSION]) {
                const Option *option = find_option(*next);
                char *wrong;

                if (!option)
                        return unknown(*next);
                unsigned n = count_arguments(option);
                if (g_strv_length(next) <= n)
                        return g_strdup_printf("%s takes %s", option->name, option->arguments);
                char **arguments = next + 1;
                next += 1 + n;
                if ((wrong = check_pending(line, option)) ||
                    (wrong = option->take == TAKE_ARGS ? take_args(line, arguments[0], &next)
                                                       : take_option(line, option, arguments)))
                        return wrong;
        }
        line->argv = next + (*next && strcmp(*next, "--") == 0);
        return check_line(line);
}

bool bwrap_line_has_host_network(const BwrapLine *line)
{
        return !line->flags[FLAG_UNSHARE_NET];
}

char *bwrap_line_help(void)
{
        GString *text = g_string_new("usage: naive-bwrap [OPTIONS...] [--] COMMAND [ARGS...]\n\n");

        for (unsigned i = 0; i < G_N_ELEMENTS(options); i++) {
                g_autofree char *option = g_strjoin(*options[i].arguments ? " " : "",
                                                    options[i].name, options[i].arguments, NULL);
                g_string_append_printf(text, "    %-28s %s%s\n", option,
                                       options[i].take == TAKE_REFUSED ? "refused: " : "",
                                       options[i].words);
        }
        return g_string_free(text, FALSE);
}
