#include "dbus/decode/arguments.h"
#include "dbus/decode/decoders.h"

DECODE(Id, arguments_read_string, id)
DECODE(WatchBus, arguments_read_bool, watch_bus)
DECODE(Remove, arguments_read_bool, remove)
