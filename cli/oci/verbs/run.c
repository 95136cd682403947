#include "cli/oci/launch/foreground.h"
#include "cli/oci/launch/making.h"
#include "cli/oci/state/container.h"

/* What `start` and `delete` do, by the same code. */
static bool remove_container(const OciCall *call, GError **error)
{
        const OciOptions options = {.force = true};
        const OciCall again = {
                .line = call->line, .options = &options, .root = call->root, .id = call->id};
        int status;

        return oci_verb_delete(&again, &status, error);
}

bool oci_verb_run(const OciCall *call, int *ret_status, GError **error)
{
        bool in_foreground = !call->options->detach;
        bool has_relay = in_foreground && !call->options->console_socket;
        g_auto(Making) making;
        int status;

        making_init(&making, call);
        if (in_foreground)
                foreground_begin();
        if (!making_create(&making, has_relay, error))
                return false;
        if (!oci_verb_start(call, &status, error)) {
                (void) remove_container(call, NULL);
                return false;
        }
        if (!in_foreground)
                return true;
        if (!foreground_wait(&making.child, ret_status, error))
                return false;
        return call->options->keep || remove_container(call, error);
}
