#include "service/container/end/ending.h"

#include <sys/wait.h>

/* A kill for memory comes first, and whatever the first process makes of it is no success: a shell
 * may outlive its killed child, and exit before its own kill. */
static ContainerResult judge(const ContainerInfo *info, const siginfo_t *status,
                             const Overdue *overdue)
{
        bool is_killed = status->si_code == CLD_KILLED && status->si_status == SIGKILL;

        /* of another's container an OOM ends one process, and the rest may go on for long */
        if (info->oom_kills > 0 && (!info->belongs_to || is_killed))
                return RESULT_OOM_KILL;
        /* nobody may know of a process that a predecessor began how it ended */
        if (overdue->is_over && (status->si_code == 0 ||
                                 (status->si_code == CLD_KILLED && status->si_status == SIGKILL)))
                return RESULT_TIMEOUT;
        switch (status->si_code) {
        case 0:
                return RESULT_UNKNOWN;
        case CLD_EXITED:
                return status->si_status == 0 ? RESULT_SUCCESS : RESULT_EXIT_CODE;
        default:
                return status->si_code == CLD_DUMPED ? RESULT_CORE_DUMP : RESULT_SIGNAL;
        }
}

void ending_judge(ContainerInfo *info, const siginfo_t *status, const Overdue *overdue)
{
        info->result = judge(info, status, overdue);
        info->code = status->si_status;
        if (info->result == RESULT_OOM_KILL || info->result == RESULT_TIMEOUT)
                info->code = SIGKILL;
        if (info->result == RESULT_TIMEOUT && overdue->limit != LIMIT_HIT_NONE)
                info->limit_hit = overdue->limit;
}
