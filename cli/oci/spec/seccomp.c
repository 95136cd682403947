#include "cli/oci/spec/seccomp.h"

void oci_seccomp_free(OciSeccomp *seccomp)
{
        if (!seccomp)
                return;
        g_strfreev(seccomp->architectures);
        g_strfreev(seccomp->flags);
        for (size_t i = 0; i < seccomp->n_rules; i++) {
                g_strfreev(seccomp->rules[i].names);
                g_free(seccomp->rules[i].args);
        }
        g_free(seccomp->rules);
        g_free(seccomp);
}
