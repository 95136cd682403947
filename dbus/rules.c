#include "dbus/rules.h"

#include <string.h>

#include "dbus/methods.h"
#include "dbus/names.h"

#define RULE(interface, name, action, owner_is_free) {interface, #name, action, owner_is_free},
#define RUNC(name, in, out, handler, action, owner_is_free)                                        \
        RULE(INTERFACE_RUNC, name, action, owner_is_free)
#define MANAGER(name, in, out, handler, action, owner_is_free)                                     \
        RULE(INTERFACE_MANAGER, name, action, owner_is_free)
#define CONTAINER(name, in, out, handler, action, owner_is_free)                                   \
        RULE(INTERFACE_CONTAINER, name, action, owner_is_free)
#define EXEC(name, in, out, handler, action, owner_is_free)                                        \
        RULE(INTERFACE_EXEC, name, action, owner_is_free)

const MethodRule method_rules[] = {
        RUNC_METHODS(RUNC) MANAGER_METHODS(MANAGER) CONTAINER_METHODS(CONTAINER)
                EXEC_METHODS(EXEC){NULL},
};

const MethodRule *rules_find(const char *interface, const char *member)
{
        for (const MethodRule *rule = method_rules; rule->interface; rule++)
                if (strcmp(rule->interface, interface) == 0 && strcmp(rule->member, member) == 0)
                        return rule;
        return NULL;
}

bool rules_may_see(const Credentials *caller, uid_t owner)
{
        return !caller->is_inside && (caller->uid == 0 || caller->uid == owner);
}
