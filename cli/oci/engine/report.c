#include "cli/oci/engine/report.h"

#include <errno.h>
#include <string.h>

#include "service/spec/error.h"

static const char *stage_words(uint32_t stage)
{
        static const char *const words[_STAGE_MAX] = {
#define X(name, text) [name] = text,
                SANDBOX_STAGES(X)
#undef X
        };

        return stage < _STAGE_MAX ? words[stage] : "do something unknown";
}

static void command_error(int errnum, const OciProcess *process, GError **error)
{
        const char *command = process->args[0];

        if (errnum == ENOENT && !strchr(command, '/'))
                error_set(error, RUNTIME_ERROR_COMMAND_NOT_FOUND,
                          "process.args[0]: executable file not found in $PATH: '%s': no such file "
                          "or directory",
                          command);
        else if (errnum == ENOENT || errnum == ENOTDIR)
                error_set(error, RUNTIME_ERROR_COMMAND_NOT_FOUND,
                          "process.args[0]: open executable '%s': no such file or directory",
                          command);
        else if (errnum == ELIBBAD)
                error_set(
                        error, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
                        "process.args[0]: '%s': the interpreter it needs is missing: no such file "
                        "or directory",
                        command);
        else if (errnum == SANDBOX_EMAGIC || errnum == ELOOP)
                error_set(error, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
                          "process.args[0]: '%s' leads through a magic symbolic link of /proc: "
                          "permission denied",
                          command);
        else if (errnum == EACCES || errnum == EPERM || errnum == EISDIR)
                error_set(error, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
                          "process.args[0]: cannot execute '%s'%s: permission denied", command,
                          errnum == EISDIR ? ", which is a directory" : "");
        else
                error_set_errno(error, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE, errnum,
                                "process.args[0]: cannot execute '%s'", command);
}

static const char *step_label(const SandboxReport *report, const Build *build)
{
        if (report->stage == STAGE_MOUNT && report->number < build->labels->len)
                return g_ptr_array_index(build->labels, report->number);
        if (report->stage == STAGE_MASK && report->number < build->covers->len)
                return g_array_index(build->covers, OciStep, report->number).target;
        if (report->stage == STAGE_SYSCTL && report->number < build->input->spec->sysctls.n)
                return build->input->spec->sysctls.items[report->number].key;
        return NULL;
}

void report_to_error(const SandboxReport *report, const Build *build, const OciProcess *process,
                     GError **error)
{
        const char *label = build ? step_label(report, build) : NULL;
        int errnum = report->error;

        if (report->stage == STAGE_EXEC) {
                command_error(errnum, process, error);
                return;
        }
        if (report->stage == STAGE_WORKING_DIRECTORY) {
                error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errnum,
                                "process.cwd: cannot enter '%s'", process->cwd);
                return;
        }
        /* "no such file or directory" would be taken for a missing command */
        if (errnum == ENOENT)
                error_set(error, RUNTIME_ERROR_SETUP_FAILED, "%s%scannot %s: it does not exist",
                          label ? label : "", label ? ": " : "", stage_words(report->stage));
        else
                error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errnum, "%s%scannot %s",
                                label ? label : "", label ? ": " : "", stage_words(report->stage));
}
