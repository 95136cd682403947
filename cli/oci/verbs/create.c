#include "cli/oci/launch/making.h"

bool oci_verb_create(const OciCall *call, int *ret_status, GError **error)
{
        g_auto(Making) making;

        making_init(&making, call);
        return making_create(&making, false, error);
}
