/* The command line of an OCI runtime: it makes containers as its own children, so that whoever
 * called it, or is its subreaper, can wait for them. The service has no part in that. */

#include <stdio.h>

#include "cli/oci/line/line.h"
#include "cli/oci/line/log.h"
#include "cli/oci/verbs/verbs.h"
#include "service/program.h"

#define EXIT_OF_EXEC 255 /* exec's own failures, apart from the command's */

static const struct {
        OciVerb verb;
        OciVerbFunc function;
} verbs[] = {
        {OCI_VERB_CREATE, oci_verb_create}, {OCI_VERB_START, oci_verb_start},
        {OCI_VERB_RUN, oci_verb_run},       {OCI_VERB_STATE, oci_verb_state},
        {OCI_VERB_KILL, oci_verb_kill},     {OCI_VERB_DELETE, oci_verb_delete},
        {OCI_VERB_EXEC, oci_verb_exec},     {OCI_VERB_PAUSE, oci_verb_pause},
        {OCI_VERB_RESUME, oci_verb_resume}, {OCI_VERB_PS, oci_verb_ps},
        {OCI_VERB_LIST, oci_verb_list},     {OCI_VERB_UPDATE, oci_verb_update},
        {OCI_VERB_EVENTS, oci_verb_events}, {OCI_VERB_FEATURES, oci_verb_features},
        {OCI_VERB_SPEC, oci_verb_spec},
};

static bool call_verb(const OciLine *line, char **argv, int *ret_status, GError **error)
{
        bool shows_itself = line->is & (OCI_VERB_CREATE | OCI_VERB_RUN | OCI_VERB_EXEC);
        g_autofree char *root = oci_state_root(line->options.root);
        const OciCall call = {
                .line = line,
                .options = &line->options,
                .root = root,
                .id = line->n_words > 0 ? line->words[0] : NULL,
        };

        /* Until a command is executed in a container, /proc/self/exe there is this program. */
        if (shows_itself && !program_protect(argv, error))
                return false;
        for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
                if (verbs[i].verb == line->is)
                        return verbs[i].function(&call, ret_status, error);
        g_assert_not_reached();
}

static int help(const OciLine *line)
{
        g_autofree char *text = oci_line_help();

        fputs(text, line->options.help ? stdout : stderr);
        return line->options.help ? 0 : 1;
}

int main(int argc, char **argv)
{
        g_autoptr(GError) error = NULL;
        g_auto(OciLine) line = {0};
        int status = 0;

        if (!oci_line_parse(&line, argv, &error)) {
                oci_log_error(&line.options, error->message);
                return line.is == OCI_VERB_EXEC ? EXIT_OF_EXEC : 1;
        }
        if (line.options.version) {
                /* dockerd wants a line "commit: …" of a runtime that is not runc */
                printf("naive-oci version %s\ncommit: v%s\nspec: 1.3.0\n", PROJECT_VERSION,
                       PROJECT_VERSION);
                return 0;
        }
        if (line.options.help || !line.verb)
                return help(&line);
        if (!call_verb(&line, argv, &status, &error)) {
                oci_log_error(&line.options, error->message);
                return line.is == OCI_VERB_EXEC ? EXIT_OF_EXEC : 1;
        }
        return status;
}
