#include "service/util/capability.h"

#include <stddef.h>
#include <string.h>

#define ROW(name) [CAP_##name] = "CAP_" #name
static const char *const names[] = {
        ROW(AUDIT_CONTROL),   ROW(AUDIT_READ),   ROW(AUDIT_WRITE),
        ROW(BLOCK_SUSPEND),   ROW(BPF),          ROW(CHECKPOINT_RESTORE),
        ROW(CHOWN),           ROW(DAC_OVERRIDE), ROW(DAC_READ_SEARCH),
        ROW(FOWNER),          ROW(FSETID),       ROW(IPC_LOCK),
        ROW(IPC_OWNER),       ROW(KILL),         ROW(LEASE),
        ROW(LINUX_IMMUTABLE), ROW(MAC_ADMIN),    ROW(MAC_OVERRIDE),
        ROW(MKNOD),           ROW(NET_ADMIN),    ROW(NET_BIND_SERVICE),
        ROW(NET_BROADCAST),   ROW(NET_RAW),      ROW(PERFMON),
        ROW(SETFCAP),         ROW(SETGID),       ROW(SETPCAP),
        ROW(SETUID),          ROW(SYSLOG),       ROW(SYS_ADMIN),
        ROW(SYS_BOOT),        ROW(SYS_CHROOT),   ROW(SYS_MODULE),
        ROW(SYS_NICE),        ROW(SYS_PACCT),    ROW(SYS_PTRACE),
        ROW(SYS_RAWIO),       ROW(SYS_RESOURCE), ROW(SYS_TIME),
        ROW(SYS_TTY_CONFIG),  ROW(WAKE_ALARM),
};

bool capability_from_name(const char *name, uint64_t *ret_bit)
{
        for (unsigned i = 0; capability_name(i); i++)
                if (strcmp(name, names[i]) == 0) {
                        *ret_bit = UINT64_C(1) << i;
                        return true;
                }
        return false;
}

const char *capability_name(unsigned number)
{
        return number < sizeof names / sizeof names[0] ? names[number] : NULL;
}
