/* naivec-full: the command line of naive-runc; naivec (cli/lean) executes it. This file has the
 * table of the verbs and nothing of what they do. */

#include <glib.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/naivec/invocation.h"
#include "cli/naivec/verbs/verbs.h"
#include "service/util/fd.h"

static const Verb verbs[] = {
        {"run", "ROOTFS [COMMAND [ARGUMENT…]]", "Run a command in a root file system", 1, -1, true,
         verb_run_flags, verb_run},
        {"create", "ROOTFS [COMMAND [ARGUMENT…]]", "Prepare a container, for start", 1, -1, true,
         verb_create_flags, verb_create},
        {"exec", "ID COMMAND [ARGUMENT…]", "Execute one more command in a container", 1, -1, true,
         verb_exec_flags, verb_exec},
        {"start", "ID…", "Start created containers", 1, -1, false, NULL, verb_start},
        {"list", "", "List containers", 0, 0, false, verb_list_flags, verb_list},
        {"status", "ID…", "Show containers and their last output", 1, -1, false, verb_status_flags,
         verb_status},
        {"inspect", "[ID…]", "Show all that is known of containers, as JSON", 0, -1, false, NULL,
         verb_inspect},
        {"ps", "ID", "Show the processes of a container", 1, 1, false, NULL, verb_ps},
        {"stats", "[ID…]", "Show what containers use", 0, -1, false, verb_stats_flags, verb_stats},
        {"events", "[ID…]", "Tell what happens to containers, as it happens", 0, -1, false,
         verb_events_flags, verb_events},
        {"wait", "ID…", "Wait for containers to end and show their results", 1, -1, false, NULL,
         verb_wait},
        {"kill", "ID…", "Send a signal to containers", 1, -1, false, verb_kill_flags, verb_kill},
        {"stop", "ID…|--all", "End containers, after a grace time by force", 0, -1, false,
         verb_stop_flags, verb_stop},
        {"pause", "ID…|--all", "Let all processes of containers stand still", 0, -1, false,
         verb_pause_flags, verb_pause},
        {"resume", "ID…|--all", "Let paused containers go on", 0, -1, false, verb_pause_flags,
         verb_resume},
        {"update", "ID…", "Change the limits of running containers", 1, -1, false,
         verb_update_flags, verb_update},
        {"delete", "ID…", "Forget containers that have ended", 1, -1, false, NULL, verb_delete},
        {"logs", "ID", "Show a container's output", 1, 1, false, verb_logs_flags, verb_logs},
        {"attach", "ID", "Attach to a container's terminal", 1, 1, false, verb_attach_flags,
         verb_attach},
        {"features", "", "Show what this machine has for containers", 0, 0, false, NULL,
         verb_features},
        {"version", "", "Show the versions of naivec and the service", 0, 0, false, NULL,
         verb_version},
        {0},
};

int main(int argc, char **argv)
{
        static char name[] = "naivec";
        Invocation invocation;
        int status;

        /* execve() allows an empty argv; argv[1] would then be in the environment (CVE-2021-4034).
         */
        if (argc < 1 || !fd_open_standard())
                return EXIT_USAGE;
        /* Only the categories that naivec uses: for each further one libc opens files. */
        setlocale(LC_CTYPE, "");
        setlocale(LC_TIME, "");
        setlocale(LC_MESSAGES, "");
        argv[0] = name; /* all messages begin with it: those of getopt_long() and ours */
        g_set_prgname(name);
        invocation_init(&invocation);
        if (invocation_find_verb(&invocation, verbs, argc, argv))
                status = invocation.verb->run(&invocation);
        else
                status = invocation.status;
        invocation_clear(&invocation);
        /* Output that could not be written, to a full disk perhaps, is a failure. */
        if (fflush(stdout) == EOF && status == EXIT_SUCCESS)
                status = EXIT_FAILURE;
        return status;
}
