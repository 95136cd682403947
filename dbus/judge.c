#include "dbus/judge.h"

#include "dbus/connection/error-map.h"
#include "dbus/rules.h"
#include "polkit/actions.h"

int judge_unknown(sd_bus_message *message, sd_bus_error *ret_error)
{
        return sd_bus_error_setf(ret_error, SD_BUS_ERROR_UNKNOWN_OBJECT, "Unknown object '%s'.",
                                 sd_bus_message_get_path(message));
}

typedef struct Judged {
        sd_bus_message_handler_t call;
} Judged;

static void on_may(Request *request, void *data)
{
        g_autofree Judged *judged = data;

        request_call_again(request, judged->call);
}

/* A stranger learns nothing of another's container, not even that there is one. */
static void on_may_not(Request *request, void *data)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;

        judge_unknown(request_message(request), &error);
        sd_bus_reply_method_error(request_message(request), &error);
        sd_bus_error_free(&error);
        request_drop(request);
}

static void ask(Request *request, const MethodRule *rule, const JudgedCall *call)
{
        g_autofree char *owner = g_strdup_printf("%u", call->owner);
        const char *const details[] = {
                DETAIL_ID,
                call->id,
                DETAIL_OWNER,
                owner,
                DETAIL_VERB,
                rule->member,
                DETAIL_COMMAND_LINE,
                call->command_line ? call->command_line : "",
                NULL,
        };

        request_authorize(request, &(RequestQuestion){
                                           .action = rule->action,
                                           .details = details,
                                           .next = on_may,
                                           .refused = on_may_not,
                                           .free_data = g_free,
                                           .data = g_memdup2(&(Judged){call->call}, sizeof(Judged)),
                                   });
}

int judge_call(Server *server, sd_bus_message *message, const JudgedCall *call,
               sd_bus_error *ret_error)
{
        GError *error = NULL;
        const Credentials *caller = callers_get(server->callers, message, &error);
        const MethodRule *rule = rules_find(call->interface, sd_bus_message_get_member(message));
        Request *request;

        if (!caller)
                return error_map_set(ret_error, error);
        /* polkit would grant root whatever it is asked, and a command its owner's rights */
        if (!rule || caller->is_inside)
                return judge_unknown(message, ret_error);
        if (rules_may_see(caller, call->owner) && (rule->owner_is_free || caller->uid == 0))
                return call->call(message, server, ret_error);
        if (!request_new(server->requests, message, caller, call->again, &request, &error))
                return error_map_set(ret_error, error);
        if (request)
                ask(request, rule, call);
        return 1;
}
