#include "service/container/end/cpu-time.h"

#include "service/cgroup/cpu-time.h"

#define LEAST_USEC                                                                                 \
        100000u /* beyond a small limit, of which a tenth would mean to look all the time */

#define WAIT_USEC_MIN UINT64_C(20000) /* whoever has many processors and containers */

static void look(void *data)
{
        CpuTime *time = data;
        uint64_t used, processors = g_get_num_processors();

        if (!cgroup_cpu_time(time->cgroup, &used, NULL)) { /* no descriptor left, say */
                deadline_begin(&time->look, deadline_after(G_USEC_PER_SEC), look, time);
                return;
        }
        if (used >= time->max_usec) {
                time->function(time->data);
                return;
        }
        /* of a quota or a set of processors, which make it slower, nothing needs to be known */
        uint64_t most = MAX(time->max_usec - used, MAX(time->max_usec / 10, LEAST_USEC));
        uint64_t wait = MAX(most / processors, WAIT_USEC_MIN);
        deadline_begin(&time->look, deadline_after(wait), look, time);
}

void cpu_time_begin(CpuTime *time, Cgroup *cgroup, uint64_t max_usec, DeadlineFunc function,
                    void *data)
{
        *time = (CpuTime){
                .cgroup = cgroup, .max_usec = max_usec, .function = function, .data = data};
        if (max_usec != 0)
                look(time);
}

void cpu_time_end(CpuTime *time)
{
        deadline_end(&time->look);
}
